"""skops files: the nodes of their schema become the values that a pickle of the object would have.

    {"__loader__": "ObjectNode", "__module__": "sklearn.svm", "__class__": "SVC", "content": …}

So the same rules interpret both. Arrays are members of the archive, as .npy; sparse matrices are
.npz in it. What `skops.io.load` does to a node is done here; no name of a node is imported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from safemodel.adapters.arrays import TYPES
from safemodel.convert.archives import members_of
from safemodel.convert.numpy_file import read_npy, read_npz
from safemodel.convert.pickles import Unpickled
from safemodel.convert.standins import sparse_class
from safemodel.convert.values import Interpreter, Made, Rule, Steps
from safemodel.errors import DamagedError, UnconvertibleError
from safemodel.legacy import json_text
from safemodel.legacy.pickle_facts import Global, Instance, Items, Mutate, Pairs, Value
from safemodel.scan.budget import Limits

_SCHEMA: Final = "schema.json"
_MAX_DEPTH: Final = 250
_GENERATOR: Final = "<a generator of skops>"
_DTYPE: Final = "<a dtype of skops>"
_DICT: Final = "<a dictionary of skops>"
_MASKED: Final = "<a masked array of skops>"
_OBJECTS: Final = "<an array of objects of skops>"

Node = Mapping[str, Any]
_KEYS: Final[Mapping[str, Callable[[str], bool | float]]] = {
    "builtins.bool": bool,
    "builtins.float": float,
}


def read_skops(data: memoryview, limits: Limits, allow: Sequence[str] = ()) -> Unpickled:
    """Read the schema; `root` of the result is what `skops.io.load` would return.

    Raises:
        UnconvertibleError: part of it has no interpretation.
        LegacyError: it is damaged.
    """
    members = members_of(data, limits)
    text = json_text.parse(bytes(members.get(_SCHEMA, b"")))
    if text.duplicates or not isinstance(text.value, dict):
        raise DamagedError("a schema that readers take in several ways")
    pickle = Unpickled(data, allow=allow, more=RULES)
    value = _Schema(members, pickle, limits).value(text.value)
    pickle.root = pickle.run(value)
    return pickle


class _Schema:
    """The values of one schema, each object once."""

    def __init__(self, members: Mapping[str, memoryview], pickle: Unpickled, limits: Limits):
        self._members = members
        self._pickle = pickle
        self._limits = limits
        self._known: dict[int, Value] = {}
        self._arrays: dict[str, Any] = {}
        self._depth = 0

    def value(self, node: Any) -> Value:
        """The value of a node."""
        if not isinstance(node, dict):
            raise DamagedError("a node that is no object")
        saved = node.get("__id__")
        if type(saved) is int and saved in self._known:
            return self._known[saved]
        make = _LOADERS.get(str(node.get("__loader__")))
        if make is None:
            raise UnconvertibleError(f"there is no interpretation of {node.get('__loader__')!r}")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise UnconvertibleError(f"is nested deeper than {_MAX_DEPTH} nodes")
        found = make(self, node)
        self._depth -= 1
        if type(saved) is int:
            self._known[saved] = found
        return found

    def member(self, node: Node) -> memoryview:
        """The file of a node."""
        name = node.get("file")
        if not isinstance(name, str) or name not in self._members:
            raise DamagedError("a node whose file is missing")
        return self._members[name]

    def made(self, found: Any) -> Value:
        """A value that is an object already."""
        value = Instance(None, None, None, 0, "skops")
        self._pickle.know(value, found)
        return value

    # Nodes

    def items(self, node: Node) -> Value:
        """A list, tuple or set."""
        kind = {"ListNode": "list", "TupleNode": "tuple"}.get(node["__loader__"], "set")
        name = _name(node)
        if name == "builtins.frozenset" and kind == "set":
            kind = "frozenset"
        elif name != f"builtins.{kind}" and kind != "tuple":
            raise UnconvertibleError(f"there is no interpretation of {name}")
        found = [self.value(one) for one in _listed(node["content"])]
        if kind == "tuple" and name != "builtins.tuple":  # a named one
            return _new(name, *found)
        return Items(kind, found, len(found))  # type: ignore[arg-type]  # one of four

    def pairs(self, node: Node) -> Value:
        """A dictionary: its keys are text in the schema, and of the types beside them."""
        types = self.value(node["key_types"])
        content = node["content"]
        kinds = types.items if isinstance(types, Items) else []
        if not isinstance(content, dict) or len(kinds) != len(content):
            raise DamagedError("a dictionary with more or fewer types than keys")
        pairs: list[tuple[Value, Value]] = [
            (self._key(kind, key), self.value(one))
            for kind, (key, one) in zip(kinds, content.items(), strict=True)
        ]
        name = _name(node)
        if name == "builtins.dict":
            return Pairs(pairs, len(pairs))
        flat = tuple(part for pair in pairs for part in pair)
        made = _new(name) if name.endswith(".Bunch") else _call(name)
        made.mutations = [Mutate(made, "SETITEMS", flat, 0)]
        return made

    def _key(self, kind: Any, text: str) -> Value:
        name = kind.full_name if isinstance(kind, Global) else ""
        if name == "builtins.str":
            return text
        if name in ("builtins.int", "builtins.float", "builtins.bool"):
            return int(text) if name.endswith("int") else _KEYS[name](text)
        scalar = TYPES.get(name)
        if scalar is None or not issubclass(scalar, np.number | np.str_):
            raise UnconvertibleError(f"keys of the type {name}")
        return self.made(scalar(text))

    def default_dict(self, node: Node) -> Value:
        """A defaultdict."""
        content = node["content"]
        main = self.value(content["main"])
        pairs = main.items if isinstance(main, Pairs) else []
        made = _call("collections.defaultdict", self.value(content["default_factory"]))
        made.mutations = [Mutate(made, "SETITEMS", tuple(x for pair in pairs for x in pair), 0)]
        return made

    def scalar(self, node: Node) -> Value:
        """A plain value, as JSON in JSON."""
        found = json.loads(node["content"])
        if found is not None and type(found) not in (bool, int, float, str):
            raise UnconvertibleError("a plain value that is none")
        value: Value = found
        return value

    def named(self, node: Node) -> Value:
        """A class or a function."""
        return Global(str(node["__module__"]), str(node["__class__"]), 0, "skops")

    def slice_(self, node: Node) -> Value:
        """A slice."""
        content = node["content"]
        return self.made(slice(*(_plain(content[key]) for key in ("start", "stop", "step"))))

    def data(self, node: Node) -> Value:
        """Bytes or a bytearray."""
        raw = bytes(self.member(node))
        return raw if node["__loader__"] == "BytesNode" else self.made(bytearray(raw))

    def object_(self, node: Node) -> Value:
        """An object that is made without its constructor, and gets a state."""
        state = self.value(node["content"]) if "content" in node else None
        made = _new(_name(node))
        made.state = state
        return made

    def constructed(self, node: Node) -> Value:
        """An object that is made by its class from arguments."""
        arguments = self.value(node["content"])
        return _call(_name(node), *_tuple(arguments))

    def reduced(self, node: Node) -> Value:
        """A tree or a loss: arguments, and a state."""
        arguments = _tuple(self.value(node["__reduce__"]["args"]))
        name = _name(node)
        if node["__loader__"] == "TreeNode":
            name = "sklearn.tree._tree.Tree"
        made = _call(name, *arguments)
        state = self.value(node["content"])
        empty = isinstance(state, Pairs | Items) and not state.count
        made.state = None if empty else state
        return made

    def partial(self, node: Node) -> Value:
        """A `functools.partial`."""
        content = node["content"]
        parts = [self.value(content[key]) for key in ("func", "args", "kwds", "namespace")]
        made = _call("functools.partial", parts[0])
        made.state = Items("tuple", parts, 4)
        return made

    def method(self, node: Node) -> Value:
        """A method that an object keeps of itself."""
        content = node["content"]
        return _call("builtins.getattr", self.value(content["obj"]), str(content["func"]))

    def array(self, node: Node) -> Value:
        """An array, or a scalar that was stored as one."""
        if node["type"] == "json":
            shape = self.value(node["shape"])
            items = [self.value(one) for one in _listed(node["content"])]
            return _call(_OBJECTS, Items("list", items, len(items)), shape)
        name = _name(node)
        found = read_npy(self.member(node))
        if name == "numpy.ndarray":
            return self.made(found)
        if name.endswith(".matrix") and name.startswith("numpy."):
            return self.made(np.matrix(found))
        kind = TYPES.get(name)
        if kind is None or found.dtype.type is not kind or found.ndim:
            raise UnconvertibleError(f"an array of the class {name}")
        return self.made(found[()])

    def masked(self, node: Node) -> Value:
        """A masked array."""
        content = node["content"]
        return _call(_MASKED, self.value(content["data"]), self.value(content["mask"]))

    def dtype(self, node: Node) -> Value:
        """A dtype, which is that of an empty array."""
        return _call(_DTYPE, self.value(node["content"]))

    def random_state(self, node: Node) -> Value:
        """A RandomState."""
        made = _call("numpy.random._pickle.__randomstate_ctor", "MT19937")
        made.state = self.value(node["content"])
        return made

    def generator(self, node: Node) -> Value:
        """A Generator, over a bit generator with its seed sequence."""
        content = node["content"]
        return _call(
            _GENERATOR, self.value(content["bit_generator"]), self.value(content["seed_seq"])
        )

    def sparse(self, node: Node) -> Value:
        """A sparse matrix."""
        return self.made(self._sparse(read_npz(self.member(node), self._limits)))

    def _sparse(self, arrays: Mapping[str, Any]) -> Any:
        layout = arrays["format"].item()
        layout = layout.decode("ascii") if type(layout) is bytes else layout
        form = "array" if bool(arrays.get("_is_array", False)) else "matrix"
        if layout not in ("csr", "csc", "coo", "dia"):
            raise UnconvertibleError(f"a sparse matrix with the layout {layout!r:.20}")
        state: dict[str, Any] = {"_shape": tuple(arrays["shape"].tolist())}
        for name in ("data", "indptr", "indices", "row", "col", "offsets"):
            if name in arrays:
                state[name] = arrays[name]
        names = [name for name in ("indptr", "indices", "row", "col", "offsets") if name in state]
        most = max([0, *state["_shape"], *(int(state[name].max(initial=0)) for name in names)])
        for name in names:  # scipy's constructors prefer short indices
            if state[name].dtype != np.int32 and most <= np.iinfo(np.int32).max:
                state[name] = state[name].astype(np.int32)
        found: Any = sparse_class(f"{layout}_{form}")()
        found.fill(state)
        self._pickle.models.library.used = True
        return found


_LOADERS: Final[Mapping[str, Callable[[_Schema, Node], Value]]] = {
    **dict.fromkeys(("ListNode", "TupleNode", "SetNode"), _Schema.items),
    "DictNode": _Schema.pairs,
    "DefaultDictNode": _Schema.default_dict,
    "JsonNode": _Schema.scalar,
    **dict.fromkeys(("FunctionNode", "TypeNode"), _Schema.named),
    "SliceNode": _Schema.slice_,
    **dict.fromkeys(("BytesNode", "BytearrayNode"), _Schema.data),
    "ObjectNode": _Schema.object_,
    "ConstructorFromReduceNode": _Schema.constructed,
    **dict.fromkeys(("TreeNode", "LossNode", "SGDNode"), _Schema.reduced),
    "PartialNode": _Schema.partial,
    "MethodNode": _Schema.method,
    "NdArrayNode": _Schema.array,
    "MaskedArrayNode": _Schema.masked,
    "DTypeNode": _Schema.dtype,
    "RandomStateNode": _Schema.random_state,
    "RandomGeneratorNode": _Schema.generator,
    "SparseMatrixNode": _Schema.sparse,
}


def _name(node: Node) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _global(name: str) -> Global:
    module, _, last = name.rpartition(".")
    return Global(module, last, 0, "skops")


def _call(name: str, *arguments: Value) -> Instance:
    return Instance(
        Global("", name, 0, "skops") if name.startswith("<") else _global(name),
        Items("tuple", list(arguments), len(arguments)),
        None,
        0,
        "REDUCE",
    )


def _new(name: str, *arguments: Value) -> Instance:
    given = Items("tuple", list(arguments), len(arguments))
    return Instance(_global(name), given, None, 0, "NEWOBJ")


def _tuple(value: Value) -> list[Value]:
    if not isinstance(value, Items) or value.kind != "tuple":
        raise DamagedError("arguments that are no tuple")
    return value.items


def _listed(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise DamagedError("a node whose content is no list")
    return content


def _plain(value: Any) -> Any:
    if value is not None and type(value) is not int:
        raise UnconvertibleError("a slice of something other than integers")
    return value


# Rules for what pickles do not have


def _dtype(made: Made, work: Interpreter) -> Steps:
    (array,) = yield from work.arguments(made)
    return array.dtype


def _masked(made: Made, work: Interpreter) -> Steps:
    data, mask = yield from work.arguments(made)
    if type(data) is not np.ndarray or not isinstance(mask, np.ndarray | np.bool_):
        raise UnconvertibleError("a masked array of something else")
    return np.ma.MaskedArray(data, mask)


def _objects(made: Made, work: Interpreter) -> Steps:
    items, shape = yield from work.arguments(made)
    if type(shape) is tuple and len(shape) == 1:
        flat: np.ndarray[Any, Any] = np.empty(len(items), dtype=object)
        for index, item in enumerate(items):
            flat[index] = item
        return flat
    return np.array(items, dtype=object)


def _generator(made: Made, work: Interpreter) -> Steps:
    state, seed = yield from work.arguments(made)
    from safemodel.convert.random_states import generator_over, seed_sequence

    numbers = [seed[key] for key in ("entropy", "spawn_key", "pool_size", "n_children_spawned")]
    return generator_over(state, seed_sequence(*numbers))


RULES: Final[Mapping[str, Rule]] = {
    f".{_DTYPE}": _dtype,
    f".{_MASKED}": _masked,
    f".{_OBJECTS}": _objects,
    f".{_GENERATOR}": _generator,
}
