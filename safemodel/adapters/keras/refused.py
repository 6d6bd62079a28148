"""What Keras has and the table does not, for a reason that a message can give: why, what to do.

Keys are names of classes and functions, `Class.argument`, or `.argument` of any class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_OWN_LAYER: Final = (
    "write it as a layer or function of your own, registered with "
    "keras.saving.register_keras_serializable(), and name it with allow="
)
_LIST: Final = "give the vocabulary itself, as a list"

REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "Lambda": ("holds Python code", _OWN_LAYER + "; or use an operation of keras.ops"),
    "__lambda__": ("holds Python code", _OWN_LAYER),
    "TFSMLayer": (
        "loads a SavedModel from a path, and runs its graph",
        "save the model that is in the SavedModel",
    ),
    "TorchModuleWrapper": (
        "unpickles a module of PyTorch",
        "save the state of the module itself; see docs/pytorch.md",
    ),
    "JaxLayer": ("calls a Python function", _OWN_LAYER),
    "FlaxLayer": ("holds a module and a function of Python", _OWN_LAYER),
    "StringLookup.vocabulary": ("could be the path of a file", _LIST),
    "IntegerLookup.vocabulary": ("could be the path of a file", _LIST),
    "TextVectorization.vocabulary": ("could be the path of a file", _LIST),
    "TextVectorization.standardize": ("could be Python code", _OWN_LAYER),
    "TextVectorization.split": ("could be Python code", _OWN_LAYER),
    "StringLookup.idf_weights": ("could be the path of a file", "give the weights as a list"),
    "GPTQConfig.dataset": ("names a data set", "it is not needed once the model is quantized"),
    "GPTQConfig.tokenizer": ("is an object with code", "it is not needed any more"),
    "AWQConfig.dataset": ("names a data set", "it is not needed once the model is quantized"),
    "AWQConfig.tokenizer": ("is an object with code", "it is not needed any more"),
    "Map": ("calls a Python function", _OWN_LAYER),
    "Scan": ("calls a Python function", _OWN_LAYER),
    "AssociativeScan": ("calls a Python function", _OWN_LAYER),
    "Cond": ("calls Python functions", _OWN_LAYER),
    "Switch": ("calls Python functions", _OWN_LAYER),
    "WhileLoop": ("calls Python functions", _OWN_LAYER),
    "ForiLoop": ("calls a Python function", _OWN_LAYER),
    "VectorizedMap": ("calls a Python function", _OWN_LAYER),
    "JVP": ("calls a Python function", _OWN_LAYER),
    "EmptyLike": ("shows memory that nobody has written", "use keras.ops.zeros_like"),
    "__typespec__": ("names a class of TensorFlow", _OWN_LAYER),
    ".activation": ("could be code", _OWN_LAYER),
}
