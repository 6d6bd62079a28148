"""Graphs of TensorFlow, written by hand: small, and as hostile as wanted, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: int | str | bytes) -> bytes:
    """A field: a varint, or length-delimited."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def text_tensor(*texts: str) -> bytes:
    return field(1, 7) + field(2, b"") + b"".join(field(8, text) for text in texts)


def packed_tensor(*texts: str) -> bytes:
    content = b"".join(varint(len(text)) for text in texts) + "".join(texts).encode()
    return field(1, 7) + field(2, b"") + field(4, content)


def attribute(key: str, value: bytes) -> bytes:
    return field(5, field(1, key) + field(2, value))


def node(
    operation: str, name: str = "n", inputs: Iterable[str] = (), attributes: bytes = b""
) -> bytes:
    """A NodeDef."""
    given = b"".join(field(3, one) for one in inputs)
    return field(1, name) + field(2, operation) + given + attributes


def constant(name: str, text: str) -> bytes:
    return node("Const", name, attributes=attribute("value", field(8, text_tensor(text))))


def call(
    function: str, name: str, inputs: Iterable[str], operation: str = "PartitionedCall"
) -> bytes:
    return node(operation, name, inputs, attribute("f", field(10, field(1, function))))


def function(name: str, arguments: Iterable[str], nodes: Iterable[bytes]) -> bytes:
    """A FunctionDef."""
    signature = field(1, name) + b"".join(field(2, field(1, one)) for one in arguments)
    return field(1, signature) + b"".join(field(3, one) for one in nodes)


def graph_def(nodes: Iterable[bytes], functions: Iterable[bytes] = ()) -> bytes:
    library = b"".join(field(1, one) for one in functions)
    return b"".join(field(1, one) for one in nodes) + (field(2, library) if library else b"")


def meta_graph(
    graph: bytes,
    *,
    assets: Mapping[str, str] | None = None,
    objects: Iterable[bytes] = (),
    captures: Mapping[str, Iterable[int]] | None = None,
) -> bytes:
    """A MetaGraphDef; `assets`: tensor to file."""
    out = field(1, field(4, "serve")) + field(2, graph)
    for tensor, file in (assets or {}).items():
        out += field(6, field(1, field(1, tensor)) + field(2, file))
    tree = b"".join(field(1, one) for one in objects)
    for name, bound in (captures or {}).items():
        tree += field(2, field(1, name) + field(2, field(2, b"".join(map(varint, bound)))))
    return out + (field(7, tree) if tree else b"")


def saved_model(*meta_graphs: bytes) -> bytes:
    return field(1, 1) + b"".join(field(2, one) for one in meta_graphs)


def keras_metadata(*texts: str) -> bytes:
    return b"".join(
        field(1, field(2, index) + field(3, "root") + field(4, "_tf_keras_layer") + field(5, text))
        for index, text in enumerate(texts)
    )


def saver_functions() -> list[bytes]:
    """The functions by which every SavedModel of TensorFlow 2 saves and restores itself."""
    save = [
        constant("Const", ".part"),
        constant("Const_1", "_temp/part"),
        node("StaticRegexFullMatch", "Match", ["file_prefix"]),
        node("Select", "Select", ["Match:output:0", "Const:output:0", "Const_1:output:0"]),
        node("StringJoin", "Join", ["file_prefix", "Select:output:0"]),
        node("Const", "number"),
        node("ShardedFilename", "Sharded", ["Join:output:0", "number:output:0", "number:output:0"]),
        constant("names", "v"),
        node("SaveV2", "SaveV2", ["Sharded:filename:0", "names:output:0", "names:output:0"]),
        node("Pack", "prefixes", ["Sharded:filename:0", "^SaveV2"]),
        node("MergeV2Checkpoints", "Merge", ["prefixes:output:0", "file_prefix"]),
    ]
    restore = [
        constant("names", "v"),
        node("RestoreV2", "RestoreV2", ["file_prefix", "names:output:0", "names:output:0"]),
    ]
    return [
        function("save", ["file_prefix"], save),
        function("restore", ["file_prefix"], restore),
    ]


def saver_calls() -> list[bytes]:
    return [
        node("Placeholder", "saver_filename"),
        call("save", "c1", ["saver_filename"]),
        call("restore", "c2", ["saver_filename"]),
    ]
