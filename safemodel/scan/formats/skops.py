"""skops files: a ZIP archive whose schema.json says what to import, make and call.

    {"__loader__": "ObjectNode", "__module__": "sklearn.svm", "__class__": "SVC", "content": …}

Each node is judged by what its loader does with the name, whether or not `skops.io.load` would ask
to trust it first: people answer that with the list that the file itself suggests. The arrays beside
it are members like any other, and are scanned as such.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from safemodel.legacy import json_text
from safemodel.report.model import Severity
from safemodel.scan.evidence import bounded

if TYPE_CHECKING:
    from safemodel.legacy.json_text import JsonValue
    from safemodel.scan.formats.zip_archive import ZipArchive
    from safemodel.scan.scope import Scope

SCHEMA: Final = "schema.json"
MAX_SCHEMA: Final = 64 << 20

_ANY: Final = frozenset[str]()
# What each loader makes: these classes alone, whatever the node says; or the one that it names.
_LOADERS: Final[dict[str, frozenset[str]]] = {
    "BytearrayNode": frozenset({"builtins.bytearray"}),
    "BytesNode": frozenset({"builtins.bytes"}),
    "CachedNode": _ANY,
    "ConstructorFromReduceNode": _ANY,
    "DTypeNode": _ANY,
    "DefaultDictNode": frozenset({"collections.defaultdict"}),
    "DictNode": frozenset({"builtins.dict", "collections.OrderedDict"}),
    "FunctionNode": _ANY,
    "JsonNode": frozenset({"builtins.str"}),
    "ListNode": frozenset({"builtins.list"}),
    "LossNode": _ANY,
    "MaskedArrayNode": frozenset({"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"}),
    "MethodNode": _ANY,
    "NdArrayNode": frozenset({"numpy.ndarray"}),
    "ObjectNode": _ANY,
    "OperatorFuncNode": frozenset({"operator.attrgetter", "operator.itemgetter"}),
    "PartialNode": frozenset({"functools.partial"}),
    "QuantileForestNode": _ANY,
    "RandomGeneratorNode": frozenset(
        {"numpy.random.Generator", "numpy.random._generator.Generator"}
    ),
    "RandomStateNode": frozenset({"numpy.random.RandomState", "numpy.random.mtrand.RandomState"}),
    "ReduceNode": _ANY,
    "SGDNode": _ANY,
    "SetNode": frozenset({"builtins.set", "builtins.frozenset"}),
    "SliceNode": frozenset({"builtins.slice"}),
    "SparseMatrixNode": _ANY,
    "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "TypeNode": _ANY,
    "_DictWithDeprecatedKeysNode": _ANY,
}
# Classes of values, that no table of pickles needs to list.
_PLAIN: Final = frozenset().union(*_LOADERS.values()) | {
    f"builtins.{name}"
    for name in ("bool", "complex", "float", "frozenset", "int", "len", "map", "object", "str")
}
_GENERATORS: Final = frozenset(
    f'"{name}"' for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
)


def scan_zip(archive: ZipArchive, scope: Scope) -> frozenset[str] | None:
    """Scan a skops file."""
    known = None
    for member in archive.alike(SCHEMA):
        text = json_text.parse(archive.read(member, MAX_SCHEMA))
        if isinstance(text.value, dict) and "__loader__" in text.value:
            judge = _Judge(scope)
            judge.tree(text.value)
            for duplicate in text.duplicates:
                scope.find("SM522", f"the key {bounded(duplicate.key)} occurs twice in one object")
                judge.tree(duplicate.value)
            known = frozenset({member.name}) & archive.members.keys()
    return known


def _nodes(tree: JsonValue, scope: Scope) -> Iterator[dict[str, JsonValue]]:
    """Every node of a tree."""
    stack = [tree]
    count = 0
    while stack:
        value = stack.pop()
        count += 1
        if not count % 65536:
            scope.budget.check_time()
        if isinstance(value, dict):
            if value.keys() & {"__loader__", "__module__", "__class__"}:
                yield value
            stack.extend(item for item in value.values() if isinstance(item, dict | list))
        elif isinstance(value, list):
            stack.extend(item for item in value if isinstance(item, dict | list))


class _Judge:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def tree(self, tree: JsonValue) -> None:
        """Judge every node of a tree."""
        for node in _nodes(tree, self.scope):
            loader, module, name = (
                node.get(key) for key in ("__loader__", "__module__", "__class__")
            )
            if not (isinstance(loader, str) and isinstance(module, str) and isinstance(name, str)):
                self.find("SM522", "a node whose loader, module or class is no text", node)
                continue
            self.node(node, loader, module, name)

    def find(
        self,
        rule: str,
        message: str,
        node: dict[str, JsonValue],
        severity: Severity | None = None,
    ) -> None:
        """Report something about a node."""
        evidence = [(key, str(node.get(f"__{key}__"))) for key in ("loader", "module", "class")]
        self.scope.find(rule, message, severity=severity, evidence=evidence)

    def node(self, node: dict[str, JsonValue], loader: str, module: str, name: str) -> None:
        """Judge one node by its loader and its name."""
        dotted = f"{module}.{name}"
        fixed = _LOADERS.get(loader)
        if fixed is None:
            self.find(
                "SM522", f"the loader {bounded(loader)} is not known here", node, Severity.MEDIUM
            )
        elif loader == "OperatorFuncNode":
            self.operator(node, dotted)
            return
        elif loader == "MethodNode":
            self.method(node, dotted)
        elif loader == "RandomGeneratorNode":
            self.generator(node)
        if fixed and dotted in fixed:
            return
        self.name(node, module, name)

    def name(self, node: dict[str, JsonValue], module: str, name: str) -> None:
        """Judge a name that is imported, and mostly called."""
        dotted = f"{module}.{name}"
        danger = self.scope.names.danger(module, name)
        if danger is not None:
            self.find("SM520", f"names {bounded(dotted)}, which {danger.reason}", node)
            return
        entry = self.scope.names.lookup(module, name)
        if dotted in _PLAIN or (entry is not None and (entry.harmless or entry.role == "class")):
            return
        root = module.partition(".")[0]
        standard = root in sys.stdlib_module_names or "__" in dotted
        self.find(
            "SM521",
            f"names {bounded(dotted)}, which is in no table of harmless names",
            node,
            Severity.HIGH if standard else None,
        )

    def operator(self, node: dict[str, JsonValue], dotted: str) -> None:
        """A node that calls a function of `operator`, with arguments of its own."""
        if dotted not in _LOADERS["OperatorFuncNode"]:
            contradiction = not dotted.startswith("operator.")
            rule, severity = ("SM522", None) if contradiction else ("SM520", Severity.HIGH)
            self.find(rule, f"calls {bounded(dotted)} as a function of operator", node, severity)

    def method(self, node: dict[str, JsonValue], dotted: str) -> None:
        """A node that looks up a method of an object."""
        content = node.get("content")
        owner = content.get("obj") if isinstance(content, dict) else None
        method = content.get("func") if isinstance(content, dict) else None
        if not isinstance(owner, dict) or not isinstance(method, str):
            self.find("SM522", "a method without an object", node)
            return
        actual = f"{owner.get('__module__')}.{owner.get('__class__')}"
        if actual != dotted:
            self.find("SM522", f"a method of {bounded(dotted)}, found on {bounded(actual)}", node)
        hidden = method.startswith("_")
        self.find(
            "SM521",
            f"looks up the method {bounded(method)} of {bounded(actual)}",
            node,
            Severity.HIGH if hidden else None,
        )

    def generator(self, node: dict[str, JsonValue]) -> None:
        """A random generator: the class of its bits is a string inside of its state."""
        content = node.get("content")
        stack = [content.get("bit_generator")] if isinstance(content, dict) else []
        while stack:
            value = stack.pop()
            if not isinstance(value, dict):
                continue
            named = value.get("bit_generator")
            text = named.get("content") if isinstance(named, dict) else None
            if text is not None and text not in _GENERATORS:
                self.find("SM522", f"a random generator of the class {bounded(str(text))}", node)
            stack.extend(value.values())
