"""What kernels of ONNX Runtime take on trust, as far as mutated models have shown.

Each rule here stands for a crash of ONNX Runtime 1.31, or a model that it never finished to open.
Implements spec/onnx.md, "Operators".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from safemodel.adapters.onnx.wire import Message
from safemodel.errors import ArchitectureError, LimitError

# Numbers of parts: kernels divide by them. 0 ended the process (SIGFPE).
_PARTS: Final = frozenset(
    {"block_size", "blocksize", "group", "hidden_size", "kv_num_heads", "num_groups", "num_heads"}
    | {"q_num_heads"}
)
# For these 0 is the default, and means that there is none.
_DEFAULTS: Final = frozenset(
    {
        ("DequantizeLinear", "block_size"), ("QuantizeLinear", "block_size"),
        ("RotaryEmbedding", "num_heads"), ("MRotaryEmbedding", "num_heads"),
    }
)  # fmt: skip
_MOST: Final = 2**31 - 1
# Any number of inputs, and none may be left out: its kernel reads each of them (SIGSEGV).
_VARIADIC: Final = frozenset(
    {
        "Concat", "ConcatTraining", "Einsum", "FeatureVectorizer", "Max", "Mean", "Min",
        "QLinearConcat", "SequenceConstruct", "Sum",
    }
)  # fmt: skip
# Inputs whose length is a number of dimensions: shapes are inferred one by one when a model is
# opened, and a declared length of 2^31 is not done in an hour.
_SHAPES: Final[Mapping[str, tuple[int, ...]]] = {
    "AffineGrid": (1,), "CenterCropPad": (1,), "Col2Im": (1, 2), "ConstantOfShape": (0,),
    "Expand": (1,), "MaxUnpool": (2,), "Pad": (1, 3), "Reshape": (1,), "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4), "Squeeze": (1,), "Tile": (1,), "Unsqueeze": (1,), "Upsample": (1,),
}  # fmt: skip
_MOST_DIMENSIONS: Final = 1024


def check_lengths(graph: Message) -> None:
    """Check the declared lengths of what stands for a shape.

    Raises:
        LimitError: one is far more than the dimensions of any tensor.
    """
    long = {tensor.get("name") for tensor in graph.all("initializer") if _is_long(tensor)}
    for kind in ("input", "output", "value_info"):
        for value in graph.all(kind):
            shape = value.get("type", value).get("tensor_type", value).get("shape")
            if shape is not None and len(shape.all("dim")) == 1:
                (length,) = shape.all("dim")
                if length.get("dim_value", 0) > _MOST_DIMENSIONS:
                    long.add(value.get("name"))
    for node in graph.all("node") if long else ():
        inputs = node.all("input")
        for position in _SHAPES.get(node.get("op_type", ""), ()):
            if position < len(inputs) and inputs[position] in long:
                raise LimitError(
                    f"{node.get('op_type')} takes {inputs[position]!r:.100} for a shape of more "
                    f"than {_MOST_DIMENSIONS} dimensions"
                )


def _is_long(tensor: Message) -> bool:
    dims = tensor.all("dims")
    return len(dims) == 1 and int(dims[0]) > _MOST_DIMENSIONS


def check_kernel(name: str, node: Message, attributes: Mapping[str, Message]) -> None:
    """Check the inputs and attributes of a node that is no call of a function.

    Raises:
        ArchitectureError: its kernel would crash.
    """
    for label, attribute in attributes.items():
        if label in _PARTS and "i" in attribute:
            least = 0 if (name, label) in _DEFAULTS else 1
            if not least <= attribute.get("i") <= _MOST:
                raise ArchitectureError(f"{label} is {attribute.get('i')}")
    if name in _VARIADIC and not all(node.all("input")):
        raise ArchitectureError("an input is left out where none may be")
