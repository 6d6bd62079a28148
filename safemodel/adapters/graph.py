"""The object graph: how live objects become JSON and tensors, and how they are rebuilt.

An object graph is a flat table of nodes, so nesting of any depth, cycles and object identity
need no depth of JSON:

    {"root": VALUE, "nodes": [NODE, ...], "names": {stored tensor name: real name}?}

A VALUE is `null`, a boolean, an integer, a string of at most 4 KiB, or an object with one key:
`{"ref": i}` (node `i`), `{"int": decimal}`, `{"float": hexadecimal}`, `{"complex": [re, im]}`,
`{"bytes": hexadecimal}`, `{"const": name}`, `{"scalar": [dtype, hexadecimal]}` (NumPy). Kinds of
adapters may add more. A NODE is an object with a `kind` and the fields of that kind. Nodes are
numbered in the order of their first reference: the root, then node 0, node 1, ..., each scanned
in the order of its canonical JSON. So a graph has one numbering and no unreachable node.

**How an adapter adds kinds.** To save, it gives `Encoder` a table of handlers by *exact* type:

    def encode_thing(thing: object, path: str, encoder: Encoder) -> dict[str, JsonValue]:
        return {"kind": "acme.thing", "weight": encoder.value(thing.weight, f"{path}.weight")}

    encoded = encode(root, handlers={**plain.HANDLERS, **arrays.HANDLERS, Thing: encode_thing},
                     inlines={**plain.INLINES, **arrays.INLINES})

A handler never recurses: `encoder.value` returns at once and encodes the child later. Arrays
go in as children; raw bytes with `encoder.store`. Each object is encoded once, by identity.

To load, it gives `Decoder` a table of builders by kind. A builder works in two phases, so that
cycles work: `create(node, decoder)` makes the object from what it needs at birth
(`decoder.value` of immutable children), `fill(obj, node, decoder)` puts everything else into it,
after every object of the graph was created. An optional third, `check(obj, node, decoder)`, runs
when everything is filled: relations between objects are checked there.

    root = decode(encoded.graph, bundle, inlines={**plain.PARSERS, **arrays.PARSERS},
        builders={**plain.BUILDERS, **arrays.BUILDERS, "acme.thing": Builder(create, fill)})

This module is the part that both directions share: the spelling of numbers, and the audit of the
node table; what a table costs to build is bounded in `graph_work.py`. It knows nothing of NumPy or
of any framework. spec/object-graph.md.
"""

from __future__ import annotations

import re
import struct
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from safemodel import limits
from safemodel.errors import ArchitectureError

if TYPE_CHECKING:
    from safemodel.format.canonical_json import JsonValue

# What a value may be without a node, written as {"const": name}. Closed: a name is never resolved.
CONSTANTS: Final[Mapping[str, object]] = {"Ellipsis": ..., "NotImplemented": NotImplemented}

# Python types that models hold as values (the `dtype=` of an encoder), written {"type": name}.
PLAIN_TYPES: Final[Mapping[str, type]] = {
    kind.__name__: kind
    for kind in (
        *(bool, int, float, complex, str, bytes, object),
        *(list, tuple, dict, set, frozenset, OrderedDict),
    )
}

_QUIET_NAN: Final = 0x7FF8000000000000
_DECIMAL: Final = re.compile(r"-?[1-9][0-9]*")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")


def float_text(value: float) -> str:
    """The one spelling of a float: `float.hex()`, `inf`, `-inf`, `nan`, or `nan:` and its bits."""
    if value == value:
        return value.hex()
    bits = struct.unpack(">Q", struct.pack(">d", value))[0]
    return "nan" if bits == _QUIET_NAN else f"nan:{bits:016x}"


def parse_float(text: object) -> float:
    """The float that `float_text` spells so.

    Raises:
        ArchitectureError: not its one spelling.
    """
    if isinstance(text, str) and len(text) <= 32:
        try:
            if text.startswith("nan:"):
                value: float = struct.unpack(">d", bytes.fromhex(text[4:]))[0]
            else:
                value = float.fromhex(text)
            if float_text(value) == text:
                return value
        except (ValueError, OverflowError, struct.error):
            pass
    raise ArchitectureError(f"not the canonical spelling of a float: {text!r:.60}")


def parse_integer(text: object) -> int:
    """A decimal integer beyond the range of JSON.

    Raises:
        ArchitectureError: not canonical, small enough for JSON, or too long.
    """
    if not isinstance(text, str) or len(text) > limits.MAX_INTEGER_DIGITS + 1:
        raise ArchitectureError("an integer that is not a string of permitted length")
    if not _DECIMAL.fullmatch(text):
        raise ArchitectureError(f"not a canonical decimal integer: {text!r:.60}")
    value = int(text)
    if abs(value) <= limits.MAX_SAFE_INTEGER:
        raise ArchitectureError(f"integer {value} must be a JSON number")
    return value


def parse_hex(text: object) -> bytes:
    """Bytes from lower-case hexadecimal digits.

    Raises:
        ArchitectureError: something else.
    """
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise ArchitectureError("not lower-case hexadecimal digits")
    return bytes.fromhex(text)


def references(value: JsonValue) -> Iterator[dict[str, JsonValue]]:
    """All references in a JSON value, in the order of its canonical encoding."""
    stack: list[JsonValue] = [value]
    while stack:
        item = stack.pop()
        if type(item) is dict:
            if len(item) == 1 and "ref" in item:
                yield item
            else:
                stack.extend([item[key] for key in sorted(item, reverse=True)])
        elif type(item) is list:
            stack.extend(
                [part for part in reversed(item) if type(part) is dict or type(part) is list]
            )


def renumber(root: JsonValue, nodes: list[dict[str, JsonValue]]) -> list[dict[str, JsonValue]]:
    """The nodes in canonical order, all references rewritten in place."""
    order: list[int] = []
    place: dict[object, int] = {}

    def scan(value: JsonValue) -> None:
        for reference in references(value):
            old: Any = reference["ref"]
            if old not in place:
                place[old] = len(order)
                order.append(old)
            reference["ref"] = place[old]

    scan(root)
    done = 0
    while done < len(order):
        scan(nodes[order[done]])
        done += 1
    return [nodes[old] for old in order]


def audit(
    graph: JsonValue,
) -> tuple[JsonValue, list[dict[str, JsonValue]], list[tuple[int, ...]]]:
    """Check the node table as a whole and return its root, its nodes, and what each refers to.

    Raises:
        ArchitectureError: not an object graph, a reference out of range, not the canonical
            numbering, an unreachable node, too many nodes, nested too deeply.
    """
    if type(graph) is not dict or not {"root", "nodes"} <= set(graph) <= {"root", "nodes", "names"}:
        raise ArchitectureError("an object graph has exactly root, nodes and perhaps names")
    nodes = graph["nodes"]
    if type(nodes) is not list or len(nodes) > limits.MAX_GRAPH_NODES:
        raise ArchitectureError(f"nodes must be a list of at most {limits.MAX_GRAPH_NODES}")
    names = graph.get("names", {})
    if type(names) is not dict or any(type(name) is not str for name in names.values()):
        raise ArchitectureError("names must map names of tensors to names")
    depths: list[int] = []

    def scan(value: JsonValue, depth: int) -> tuple[int, ...]:
        found: list[int] = []
        for reference in references(value):
            index = reference["ref"]
            if type(index) is not int or not 0 <= index < len(nodes):
                raise ArchitectureError(f"a reference to node {index!r:.40}, which does not exist")
            if index == len(depths):
                if depth > limits.MAX_GRAPH_DEPTH:
                    raise ArchitectureError(f"nested deeper than {limits.MAX_GRAPH_DEPTH} nodes")
                depths.append(depth)
            elif index > len(depths):
                raise ArchitectureError(f"node {index} is numbered out of order")
            found.append(index)
        return tuple(found)

    scan(graph["root"], 1)
    checked: list[dict[str, JsonValue]] = []
    children: list[tuple[int, ...]] = []
    for index, node in enumerate(nodes):
        if type(node) is not dict or type(node.get("kind")) is not str:
            raise ArchitectureError("a node must be an object with a kind", place=f"node {index}")
        if index >= len(depths):
            raise ArchitectureError(f"node {index} is not reachable from the root")
        children.append(scan(node, depths[index] + 1))
        checked.append(node)
    return graph["root"], checked, children
