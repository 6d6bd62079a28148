"""Plain data types of the standard library, and what cloudpickle and dill make of plain data."""

from __future__ import absolute_import, print_function

import array
import collections
import copy
import datetime
import decimal
import fractions
import functools
import importlib
import itertools
import logging
import math
import operator
import random
import re
import sys
import time
import uuid


def optional(name):
    """The module, or None where this Python has none."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def plain():
    yield "scalars", lambda: [None, True, 1, -(10**30), 1.5, "text", b"bytes", 2j, float("nan")]
    yield "bytes", lambda: [b"", b"x", bytearray(b"abc"), bytearray(), "\u20ac", memoryview]
    yield "nested", lambda: {"a": [1, (2, {3, 4}), frozenset([5])], (1, 2): {}, b"k": []}
    yield "range", lambda: [range(5), range(1, 10, 2)]
    yield "slice", lambda: [slice(1, 2), slice(None, None, -1), Ellipsis, NotImplemented]
    yield "types", lambda: [int, float, str, bool, list, dict, tuple, set, frozenset, bytes, object]
    yield "more types", lambda: [complex, bytearray, slice, range, type, type(None), Exception]
    yield "functions", lambda: [len, abs, min, max, sum, sorted, round, repr, id, zip, map, filter]
    yield "more functions", lambda: [any, all, divmod, pow, ord, chr, hash, iter, next, callable]
    yield "exceptions", lambda: [ValueError("no"), KeyError(1), RuntimeError(), OSError(2, "gone")]
    yield "more exceptions", lambda: [StopIteration(3), UserWarning("w"), ZeroDivisionError("z")]
    yield "recursive", _recursive


def _recursive():
    loop = []
    loop.append(loop)
    table = {}
    table["self"] = table
    return [loop, table]


def times():
    date, utc = datetime, None
    yield "datetime", lambda: [date.datetime(2020, 1, 2, 3, 4, 5, 6), date.date(2020, 1, 2)]
    yield "time", lambda: [date.time(1, 2, 3), date.timedelta(1, 2, 3)]
    yield "struct_time", lambda: time.gmtime(0)
    if hasattr(date, "timezone"):
        utc = date.timezone.utc
        yield "timezone", lambda: [utc, date.timezone(date.timedelta(hours=2), "X")]
        yield "aware", lambda: date.datetime(2020, 1, 1, tzinfo=utc)
    zoneinfo = optional("zoneinfo")
    if zoneinfo:
        yield "zoneinfo", lambda: [zoneinfo.ZoneInfo("Europe/Berlin"), zoneinfo.ZoneInfo("UTC")]
    dateutil = optional("dateutil.tz")
    if dateutil:
        relative = importlib.import_module("dateutil.relativedelta")
        yield "dateutil", lambda: [dateutil.tzutc(), dateutil.tzoffset(None, 3600)]
        yield "relativedelta", lambda: relative.relativedelta(months=1)
    pytz = optional("pytz")
    if pytz:
        yield "pytz", lambda: [pytz.utc, pytz.timezone("Europe/Berlin"), pytz.FixedOffset(60)]
        berlin = pytz.timezone("Europe/Berlin")
        yield "pytz datetime", lambda: berlin.localize(date.datetime(2020, 1, 1))


def numbers():
    yield "decimal", lambda: [decimal.Decimal("1.5"), decimal.Decimal("NaN")]
    yield "decimal context", lambda: decimal.Context(prec=5)
    yield "fraction", lambda: fractions.Fraction(1, 3)
    yield "uuid", lambda: uuid.UUID(int=5)
    yield "random", lambda: random.Random(1)
    yield "system random", lambda: random.SystemRandom
    yield "math", lambda: [math.sqrt, math.log, math.exp, math.floor, math.isnan, math.tanh]
    ipaddress = optional("ipaddress")
    if ipaddress:
        address = ipaddress.ip_address
        yield "ipaddress", lambda: [address(b"127.0.0.1".decode()), address(b"::1".decode())]
        yield "ipnetwork", lambda: ipaddress.ip_network(b"10.0.0.0/8".decode())
    statistics = optional("statistics")
    if statistics:
        yield "statistics", lambda: [statistics.mean, statistics.median]
        if hasattr(statistics, "NormalDist"):
            yield "normal", lambda: statistics.NormalDist(1, 2)


Point = collections.namedtuple("Point", "x y")


class Plain(object):
    """A class of the user's."""

    def __init__(self):
        self.value = 1


class Slotted(object):
    __slots__ = ("value",)

    def __init__(self):
        self.value = 2


class Both(Plain):
    __slots__ = ("more",)

    def __init__(self):
        Plain.__init__(self)
        self.more = 3


class Table(dict):
    pass


class Row(list):
    pass


class Text(str):
    pass


class Number(int):
    pass


class Real(float):
    pass


class Pair(tuple):
    pass


class Bag(set):
    pass


def double(value):
    return 2 * value


def containers():
    c = collections
    yield "OrderedDict", lambda: c.OrderedDict([("a", 1), ("b", 2)])
    yield "defaultdict", lambda: [c.defaultdict(list, {"a": [1]}), c.defaultdict(int, {"b": 2})]
    yield "defaultdicts", lambda: [c.defaultdict(dict), c.defaultdict(set), c.defaultdict(None)]
    yield (
        "defaultdict more",
        lambda: [c.defaultdict(float), c.defaultdict(str), c.defaultdict(bool)],
    )
    yield "Counter", lambda: c.Counter("abcabc")
    yield "deque", lambda: [c.deque([1, 2]), c.deque([1], maxlen=5)]
    for name in ("ChainMap", "UserDict", "UserList", "UserString"):
        if hasattr(c, name):
            kind = getattr(c, name)
            yield name, (lambda kind=kind: kind("abc" if kind.__name__ == "UserString" else {}))
            if name == "UserList":
                yield "UserList items", lambda kind=kind: kind([1, 2])
    yield "array", lambda: [array.array("d", [1, 2]), array.array("i", [3]), array.array("B", b"x")]
    yield "namedtuple", lambda: Point(1, 2)
    yield "instances", lambda: [Plain(), Slotted(), Both()]
    yield "subclasses", lambda: [Table(a=1), Row([1]), Text("t"), Number(3), Real(1.5)]
    yield "more subclasses", lambda: [Pair((1, 2)), Bag([1])]
    types = optional("types")
    if hasattr(types, "SimpleNamespace"):
        yield "SimpleNamespace", lambda: types.SimpleNamespace(a=1)
    if hasattr(types, "GenericAlias"):
        yield "generic alias", lambda: [list[int], dict[str, int]]
    yield "types", lambda: [types.FunctionType, types.ModuleType, types.MethodType][:0]
    yield "views", lambda: [iter([1, 2]), iter((1, 2)), reversed([1]), enumerate([1])]
    yield "more iterators", lambda: [iter({}), iter({1}), iter("ab"), iter(range(3))]
    yield "zips", lambda: [zip([1], [2]), map(abs, [1]), filter(None, [1])]
    yield "itertools", lambda: [itertools.count(1), itertools.cycle([1]), itertools.repeat(1, 2)]
    yield "more itertools", lambda: [itertools.chain([1], [2]), itertools.product([1], [2])]


def callables():
    yield "partial", lambda: functools.partial(int, base=2)
    yield "partial own", lambda: functools.partial(double, 2)
    yield "partial max", lambda: [functools.partial(max, 2), functools.partial(round, ndigits=2)]
    yield "itemgetter", lambda: [operator.itemgetter(1), operator.itemgetter("a", "b")]
    yield "attrgetter", lambda: [operator.attrgetter("a"), operator.attrgetter("a.b", "c")]
    yield "methodcaller", lambda: [operator.methodcaller("lower"), operator.methodcaller("f", 1)]
    yield "operators", lambda: [operator.add, operator.mul, operator.lt, operator.neg, operator.eq]
    yield "more operators", lambda: [operator.sub, operator.truediv, operator.getitem, operator.or_]
    yield "function", lambda: double
    yield "methods", lambda: [str.lower, dict.get, "abc".upper, [1].append, str.split]
    yield "classmethods", lambda: [dict.fromkeys, Plain.__init__]
    yield "bound", lambda: Plain().__init__
    yield "copies", lambda: [copy.copy, copy.deepcopy]
    yield "cmp_to_key", lambda: functools.cmp_to_key(double)


def text():
    yield (
        "pattern",
        lambda: [re.compile("a+"), re.compile("(?u)\\b\\w\\w+\\b", re.I), re.compile(b"x")],
    )
    string = optional("string")
    yield "template", lambda: string.Template("$a")
    io = optional("io")
    yield "StringIO", lambda: io.StringIO(b"text".decode())
    yield "BytesIO", lambda: io.BytesIO(b"bytes")
    yield "logger", lambda: [logging.getLogger("x.y"), logging.getLogger()]
    yield "handler level", lambda: logging.Formatter("%(message)s")
    pathlib = optional("pathlib")
    if pathlib:
        yield "path", lambda: [pathlib.Path("a/b"), pathlib.PurePosixPath("/x")]
        yield "windows path", lambda: pathlib.PureWindowsPath("c:/x")
    argparse = optional("argparse")
    yield "argparse", lambda: argparse.Namespace(lr=0.1, epochs=3)
    enum = optional("enum")
    if enum:
        yield "enum", lambda: _enums(enum)
    yield "email", lambda: optional("email.message").Message()


def _enums(enum):
    http = optional("http")
    socket = optional("signal")
    found = [http.HTTPStatus.OK] if http else []
    return found + [socket.SIGTERM, re.I] if sys.version_info[0] > 2 else found


def typed():
    typing = optional("typing")
    if typing is None or sys.version_info < (3, 7):
        return
    yield "typing", lambda: [typing.Any, typing.List[int], typing.Optional[int]]
    yield "more typing", lambda: [typing.Dict[str, int], typing.Union[int, str], typing.Callable]
    yield "typevar", lambda: typing.Tuple[int, ...]
    dataclasses = optional("dataclasses")
    yield "dataclass", lambda: Config(1)
    yield "dataclass parts", lambda: [dataclasses.MISSING.__class__]
    contextvars = optional("types")
    yield "mapping proxy", lambda: contextvars.MappingProxyType
    if sys.version_info >= (3, 10):
        yield "union", lambda: eval("int | str")


if sys.version_info >= (3, 7):
    import dataclasses

    class Config:
        value = 0

    Config.__annotations__ = {"value": int}
    Config = dataclasses.dataclass(Config)


def dumped():
    """Plain data by cloudpickle and dill; functions and classes by value are no plain data."""
    things = {"data": {"a": [1, 2.5, "x"], "b": (None, True)}, "class": Plain(), "type": Point}
    for name in ("cloudpickle", "dill"):
        module = optional(name)
        if module is None:
            continue
        for key, thing in things.items():
            yield (
                name + " " + key,
                lambda module=module, thing=thing: {
                    "__files__": {module.__name__: module.dumps(thing)}
                },
            )


def cases():
    for group in (plain, times, numbers, containers, callables, text, typed, dumped):
        for case in group():
            yield case
