"""SavedModels of TensorFlow, written by hand: small, hostile as wanted, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.legacy.tensorflow_samples import field

FLOAT = 1


def shape(*sizes: int) -> bytes:
    return b"".join(field(2, field(1, size % (1 << 64))) for size in sizes)


def entry(key: str, value: bytes) -> bytes:
    return field(1, key) + field(2, value)


# Structures


def spec(name: str, *sizes: int, dtype: int = FLOAT) -> bytes:
    return field(33, field(1, name) + field(2, shape(*sizes)) + field(3, dtype))


def items(*values: bytes, is_list: bool = False) -> bytes:
    return field(51 if is_list else 52, b"".join(field(1, value) for value in values))


def mapping(values: Mapping[str, bytes]) -> bytes:
    return field(53, b"".join(field(1, entry(key, value)) for key, value in values.items()))


def named(name: str, values: Mapping[str, bytes]) -> bytes:
    pairs = b"".join(field(2, entry(key, value)) for key, value in values.items())
    return field(54, field(1, name) + pairs)


def text(value: str) -> bytes:
    return field(13, value)


NONE = field(1, b"")


def arguments(*names: str, keywords: Iterable[str] = (), defaults: bytes = NONE) -> bytes:
    """What Python says of the arguments of a function."""
    return named(
        "FullArgSpec",
        {
            "args": items(*map(text, names), is_list=True),
            "varargs": NONE,
            "varkw": NONE,
            "defaults": defaults,
            "kwonlyargs": items(*map(text, keywords), is_list=True),
            "kwonlydefaults": NONE,
            "annotations": mapping({}),
        },
    )


# Objects


def reference(name: str, number: int) -> bytes:
    return field(1, field(1, number % (1 << 64)) + field(2, name))


def children(parts: Mapping[str, int]) -> bytes:
    return b"".join(reference(name, number) for name, number in parts.items())


def slot(original: int, name: str, variable: int) -> bytes:
    return field(3, field(1, original) + field(2, name) + field(3, variable))


def user_object(identifier: str = "_generic_user_object") -> bytes:
    return field(4, field(1, identifier))


def variable(name: str, *sizes: int, dtype: int = FLOAT, trainable: bool = True) -> bytes:
    trained = field(3, 1) if trainable else b""
    return field(7, field(1, dtype) + field(2, shape(*sizes)) + trained + field(6, name))


def function(*concrete: str, spec: bytes = b"") -> bytes:
    return field(6, b"".join(field(1, name) for name in concrete) + field(2, spec))


def concrete_object(name: str, *keywords: str, positional: int = 0) -> bytes:
    named_ = b"".join(field(2, keyword) for keyword in keywords)
    return field(8, field(1, name) + named_ + field(3, positional))


def constant(operation: str) -> bytes:
    return field(9, field(1, operation))


def concrete(captures: Iterable[int], inputs: bytes = b"", outputs: bytes = b"") -> bytes:
    bound = b"".join(field(2, number % (1 << 64)) for number in captures)
    return bound + (field(3, inputs) if inputs else b"") + (field(4, outputs) if outputs else b"")


def info(tensor: str, *sizes: int, dtype: int = FLOAT) -> bytes:
    return field(1, tensor) + field(2, dtype) + field(3, shape(*sizes))


def signature(inputs: Mapping[str, bytes], outputs: Mapping[str, bytes]) -> bytes:
    return b"".join(
        field(number, entry(key, value))
        for number, side in ((1, inputs), (2, outputs))
        for key, value in side.items()
    )


def saved_model(
    objects: Iterable[bytes] = (),
    concrete_functions: Mapping[str, bytes] | None = None,
    signatures: Mapping[str, bytes] | None = None,
    graph: bytes = b"",
    extra: bytes = b"",
) -> bytes:
    """A whole `saved_model.pb` with one graph."""
    object_graph = b"".join(field(1, one) for one in objects) + b"".join(
        field(2, entry(name, value)) for name, value in (concrete_functions or {}).items()
    )
    meta = (
        field(1, field(4, "serve") + field(5, "2.21.0"))
        + field(2, graph)
        + b"".join(field(5, entry(name, value)) for name, value in (signatures or {}).items())
        + (field(7, object_graph) if object_graph else b"")
        + extra
    )
    return field(1, 1) + field(2, meta)


# Checkpoints


def value(key: str, name: str = "VARIABLE_VALUE", full_name: str = "") -> bytes:
    return field(2, field(1, name) + field(2, full_name) + field(3, key))


def object_graph(objects: Iterable[bytes]) -> bytes:
    """A TrackableObjectGraph."""
    return b"".join(field(1, one) for one in objects)
