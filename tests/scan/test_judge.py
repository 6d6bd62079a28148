"""What a pickle does is judged site by site, whatever opcode it uses and wherever it hides it."""

from __future__ import annotations

import collections
import datetime
import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safemodel.report.model import Severity
from safemodel.scan.budget import Limits
from tests.scan import pickles as p

HIGH, CRITICAL, MEDIUM = Severity.HIGH, Severity.CRITICAL, Severity.MEDIUM
SYSTEM = p.name("posix", "system")
ID = p.text("id")
ORDERED = p.name("collections", "OrderedDict")
PARTIAL = p.name("functools", "partial")
GETATTR = p.name("builtins", "getattr")


# One gadget, all forms of calling it


@pytest.mark.parametrize(
    "body",
    [
        p.call(SYSTEM, ID),
        p.call(p.old_name("posix", "system"), ID),
        p.call(SYSTEM, ID) + p.POP + p.NONE,
        p.MARK + ID + b"iposix\nsystem\n",
        p.MARK + SYSTEM + ID + b"o",
        p.make(SYSTEM, ID),
        SYSTEM + p.values(ID) + p.pairs() + p.NEWOBJ_EX,
        p.listed(p.call(SYSTEM, ID)),
        p.MARK + p.call(SYSTEM, ID) + b"1" + p.NONE,
        SYSTEM + p.put(7) + p.POP + p.get(7) + p.values(ID) + p.REDUCE,
        p.text("system") + p.put(3) + p.POP + p.text("posix") + p.get(3) + b"\x93"
        + p.values(ID) + p.REDUCE,
        ORDERED + p.NOTHING + p.REDUCE + p.pairs(ID, p.call(SYSTEM, ID)) + b"b",
    ],
)  # fmt: skip
def test_every_way_to_call_is_critical(body: bytes) -> None:
    assert p.found(p.whole(body))["SM101"] is CRITICAL
    assert p.found(p.whole(body)[2:])["SM101"] is CRITICAL  # the same without PROTO


def test_one_finding_says_what_is_called_with_what() -> None:
    known, findings = p.scan(p.whole(p.call(SYSTEM, ID)))
    assert known
    assert len(findings) == 1
    does = "imports posix.system and calls it, which runs a program or shell command"
    assert findings[0].message == does
    assert dict(findings[0].evidence)["arguments"] == "('id')"


@pytest.mark.parametrize("cut", range(1, 12))
def test_what_ran_before_the_damage_is_reported(cut: int) -> None:
    data = p.whole(p.call(SYSTEM, ID), p.listed(*[p.number(i) for i in range(4)]))
    assert p.found(data[:-cut])["SM101"] is CRITICAL
    assert p.found(data[:-cut] + b"\xff" * cut)["SM101"] is CRITICAL
    assert "SM901" in p.found(data[:-cut])


@pytest.mark.parametrize(
    ("module", "qualified"),
    [
        ("os", "system"),
        ("nt", "popen"),
        ("subprocess", "Popen"),
        ("subprocess", "anything_at_all"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("builtins", "__import__"),
        ("__builtin__", "eval"),
        ("commands", "getoutput"),
        ("runpy", "run_path"),
        ("timeit", "main"),
        ("timeit", "timeit"),
        ("cProfile", "run"),
        ("pydoc", "locate"),
        ("pkgutil", "resolve_name"),
        ("importlib", "import_module"),
        ("numpy", "load"),
        ("numpy.f2py.crackfortran", "getlincoef"),
        ("numpy.testing._private.utils", "runstring"),
        ("torch.utils.collect_env", "run"),
        ("torch.hub", "load"),
        ("idlelib.pyshell", "ModifiedInterpreter.runcode"),
        ("lib2to3.pgen2.pgen", "ParserGenerator"),
        ("ensurepip._uninstall", "_main"),
        ("multiprocessing.util", "spawnv_passfds"),
        ("asyncio.unix_events", "_UnixSubprocessTransport._start"),
        ("shutil", "rmtree"),
        ("socket", "create_connection"),
        ("webbrowser", "open"),
        ("ctypes", "CDLL"),
        ("bdb", "Bdb.run"),
        ("doctest", "debug_script"),
        ("code", "InteractiveInterpreter.runcode"),
        ("trace", "Trace.run"),
        ("distutils.file_util", "write_file"),
        ("logging.config", "_resolve"),
        ("joblib", "load"),
        ("pandas", "read_pickle"),
        ("urllib.request", "urlretrieve"),
    ],
)
def test_a_dangerous_name_is_explained(module: str, qualified: str) -> None:
    rules = p.found(p.whole(p.call(p.name(module, qualified), ID)))
    assert rules.get("SM101", rules.get("SM114")) >= HIGH
    assert p.found(p.whole(p.name(module, qualified)))["SM102"] is HIGH


@pytest.mark.parametrize(
    ("module", "qualified"),
    [
        ("somepackage.tools", "load"),
        ("statistics", "_quantile"),
        ("sklearn.utils", "anything"),
        ("torch.nn", "anything"),
        ("numpy", "anything"),
    ],
)
def test_a_call_that_no_table_knows_is_high(module: str, qualified: str) -> None:
    for body in (
        p.call(p.name(module, qualified), ID),
        p.MARK + p.name(module, qualified) + b"o",
        p.MARK + f"i{module}\n{qualified}\n".encode(),
    ):
        assert p.found(p.whole(body))["SM103"] is HIGH


def test_an_unknown_class_is_medium_where_its_package_is_unknown() -> None:
    body = p.make(p.name("mycompany.features", "Ratio")) + p.pairs(ID, ID) + p.BUILD
    assert p.found(p.whole(body)) == {"SM105": MEDIUM}
    assert p.found(p.whole(p.name("mycompany.features", "Ratio"))) == {"SM105": MEDIUM}


@pytest.mark.parametrize(
    ("module", "qualified"),
    [
        ("sklearn.linear_model", "NoSuchEstimator"),
        ("statistics", "NoSuchThing"),
        ("torch.nn.modules.linear", "NoSuchLayer"),
        ("mycompany", "Thing.method"),
        ("mycompany", "__dict__"),
        ("mycompany", "__builtins__"),
        ("mycompany", "not an identifier"),
        ("my company", "name"),
        ("numpy", "version.full_version"),
    ],
)
def test_an_unlisted_name_is_high(module: str, qualified: str) -> None:
    assert p.found(p.whole(p.name(module, qualified)))["SM104"] is HIGH


@pytest.mark.parametrize(
    "qualified", ["os.system", "sys.modules", "subprocess.Popen", "a.b.os.system"]
)
def test_a_dotted_name_reaches_into_other_modules(qualified: str) -> None:
    assert p.found(p.whole(p.call(p.name("mycompany", qualified), ID)))["SM101"] is CRITICAL


# Known names, in uses that they are not known to be harmless in


@pytest.mark.parametrize(
    "body",
    [
        p.call(PARTIAL, p.name("numpy", "memmap"), ID),
        p.call(p.name("_codecs", "encode"), ID, p.text("rot13")),
        p.call(p.name("operator", "attrgetter"), p.text("__globals__")),
        p.call(p.name("operator", "attrgetter"), p.text("a.__class__")),
        p.call(GETATTR, ORDERED, p.text("fromkeys")),
        p.call(GETATTR, p.name("builtins", "object"), p.text("__subclasses__")),
        p.call(GETATTR, p.make(p.name("mycompany", "C")), p.text("run")),
        p.call(p.name("builtins", "map"), SYSTEM, p.listed(ID)),
        p.call(p.name("builtins", "map"), p.name("mycompany", "f"), p.listed(ID)),
        p.call(p.name("builtins", "type"), ID, p.values(), p.pairs()),
        p.call(p.name("builtins", "iter"), p.name("mycompany", "f"), p.NONE),
        p.call(p.name("functools", "reduce"), p.name("operator", "add"), p.listed(ID)),
        p.call(p.name("numpy.core", "_ufunc_reconstruct"), p.text("os"), p.text("system")),
        p.call(p.name("numpy", "memmap"), p.text("/tmp/x"), p.text("float64"), p.text("w+")),
        p.make(p.name("numpy", "memmap"), p.text("/tmp/x"), p.text("float64"), p.text("w+")),
        p.call(p.name("numpy.random._pickle", "__randomstate_ctor"), ID, p.name("mycompany", "f")),
        p.call(p.name("numpy.random._pickle", "__bit_generator_ctor"), ORDERED),
        p.call(
            p.name("pandas.core.indexes.base", "_new_Index"),
            p.name("numpy", "memmap"),
            p.pairs(p.text("filename"), p.text("/tmp/x"), p.text("mode"), p.text("w+")),
        ),
        p.call(p.name("sklearn.externals.joblib.memory", "Memory"), p.text("/tmp/x")),
        p.call(p.name("copyreg", "_reconstructor"), ORDERED, p.name("mycompany", "B"), p.NONE),
        p.call(p.name("copyreg", "__newobj__"), p.name("numpy", "memmap"), p.text("/tmp/x")),
        p.call(p.name("collections", "defaultdict"), p.name("builtins", "getattr")),
        p.call(
            p.name("torch._tensor", "_rebuild_from_type_v2"),
            p.name("mycompany", "f"),
            p.name("torch", "Tensor"),
            p.values(ID),
            p.NONE,
        ),
        p.call(p.name("xgboost.core", "Booster"), p.pairs(), p.values(), p.text("/etc/passwd")),
        p.call(p.name("lightgbm.basic", "Booster"), p.NONE, p.NONE, p.text("/etc/passwd")),
        p.call(
            p.name("torch.storage", "_load_from_bytes"), p.make(p.name("builtins", "bytearray"))
        ),
    ],
)  # fmt: skip
def test_a_known_name_is_no_licence(body: bytes) -> None:
    rules = p.found(p.whole(body))
    assert max(rules.values()) >= HIGH
    assert "SM106" in rules


def test_what_is_kept_is_as_bad_as_what_is_kept() -> None:
    own = p.name("mycompany", "f")
    assert p.found(p.whole(p.call(PARTIAL, own))) == {"SM105": MEDIUM}
    assert p.found(p.whole(p.call(p.name("collections", "defaultdict"), own))) == {"SM105": MEDIUM}
    assert p.found(p.whole(p.call(PARTIAL, SYSTEM, ID))) == {"SM102": HIGH}


@pytest.mark.parametrize(
    "body",
    [
        p.call(p.call(p.name("operator", "attrgetter"), p.text("system")), ID),
        p.call(p.call(PARTIAL, p.name("builtins", "len")), ID),
        p.call(b"\x82\x01", ID),
        p.call(ID + b"Q", ID),
        p.make(p.call(p.name("builtins", "list"))),
    ],
)
def test_a_computed_callee_is_high(body: bytes) -> None:
    assert p.found(p.whole(body))["SM107"] is HIGH


def test_a_computed_name_is_high() -> None:
    assert p.found(p.whole(ID + b"Q", ID, b"\x93"))["SM108"] is HIGH
    assert p.found(p.whole(ID, b"\x82\x01", b"\x93"))["SM108"] is HIGH
    made = p.call(p.name("_codecs", "encode"), p.text("os"), p.text("latin1"))
    assert p.found(p.whole(made, p.text("system"), b"\x93"))["SM108"] is HIGH


def test_extension_codes_are_high() -> None:
    for opcode in (b"\x82\x01", b"\x83\x01\x01", b"\x84\x01\x01\x01\x00"):
        assert p.found(p.whole(opcode))["SM109"] is HIGH


# State and items


@pytest.mark.parametrize(
    "body",
    [
        ORDERED + p.pairs(ID, SYSTEM) + p.BUILD,
        ORDERED + p.values(p.NONE, p.pairs(p.text("update"), ORDERED)) + p.BUILD,
        p.name("mycompany", "C") + p.pairs(ID, ID) + p.BUILD,
        p.call(p.name("_codecs", "encode"), ID, p.text("latin1")) + p.pairs(ID, ID) + p.BUILD,
        p.make(p.name("sklearn.linear_model._base", "LinearRegression"))
        + p.values(p.NONE, p.pairs(ID, ID))
        + p.BUILD,
        p.make(p.name("sklearn.linear_model._base", "LinearRegression")) + ID + b"a",
        p.make(p.name("sklearn.linear_model._base", "LinearRegression")) + ID + ID + b"s",
        p.make(p.name("sklearn.linear_model._base", "LinearRegression")) + b"(" + ID + b"\x90",
        p.name("mycompany", "LIST") + ID + b"a",
        p.name("mycompany", "DICT") + ID + ID + b"s",
        b"\x82\x01" + p.pairs(ID, ID) + p.BUILD,
        ID + b"Q" + ID + b"a",
        p.call(PARTIAL, p.name("builtins", "len"))
        + p.values(p.name("numpy", "memmap"), p.values(), p.pairs(), p.NONE)
        + p.BUILD,
        p.call(PARTIAL, p.name("builtins", "len")) + p.call(ORDERED) + p.BUILD,
        p.make(p.name("sklearn.utils._tags", "Tags"))
        + p.values(p.NONE, p.pairs(p.text("__class__"), p.name("mycompany", "C")))
        + p.BUILD,
    ],
)
def test_state_or_items_where_they_do_not_belong(body: bytes) -> None:
    assert p.found(p.whole(body))["SM110"] is HIGH


@pytest.mark.parametrize(
    "opening",
    [
        p.make(p.name("sklearn.linear_model._base", "LinearRegression")),
        p.make(p.name("mycompany", "C")),
        p.call(ORDERED),
    ],
)
@pytest.mark.parametrize("second", [p.pairs(ID, ID) + p.BUILD, ID + b"a", ID + ID + b"s"])
def test_nothing_may_follow_the_state(opening: bytes, second: bytes) -> None:
    # The state can put something in place of `__setstate__`, `append`, or `__setitem__`.
    first = p.pairs(p.text("__setstate__"), p.name("builtins", "len")) + p.BUILD
    assert "SM111" not in p.found(p.whole(opening + first))
    assert p.found(p.whole(opening + first + second))["SM111"] is HIGH


def test_the_same_state_twice_is_a_second_state() -> None:
    made = p.make(p.name("mycompany", "C"))
    state = p.pairs(p.text("__setstate__"), p.name("builtins", "len")) + p.put(1)
    assert p.found(p.whole(made + state + p.BUILD + p.get(1) + p.BUILD))["SM111"] is HIGH


NORM = p.make(p.name("scipy.stats._continuous_distns", "norm_gen"))
DATA = p.make(p.name("statsmodels.base.data", "PandasData"))
TEMPLATE = (
    "\ndef _parse_args(self, a, b,  loc=0, scale=1):\n    return (a, b, ), loc, scale\n"
    "\ndef _parse_args_rvs(self, a, b,  loc=0, scale=1, size=None):\n"
    "    return self._argcheck_rvs(a, b,  loc, scale, size=size)\n"
    "\ndef _parse_args_stats(self, a, b,  loc=0, scale=1, moments='mv'):\n"
    "    return (a, b, ), loc, scale, moments\n"
)


@pytest.mark.parametrize(
    ("code", "harmless"),
    [
        (TEMPLATE, True),
        (TEMPLATE.replace("a, b, ", ""), True),
        (TEMPLATE.replace("loc=0, scale=1", "loc=0").replace("loc, scale", "loc, 1"), True),
        ("__import__('os').system('id')", False),
        ("import os\n" + TEMPLATE, False),
        (TEMPLATE + "import os", False),
        (TEMPLATE.replace("a, b,", "a=eval('1'), b,"), False),
        (TEMPLATE.replace("loc=0", "loc=print()", 1), False),
        (TEMPLATE.replace("moments\n", "eval('1')\n"), False),
    ],
)
def test_scipy_runs_the_state_of_a_distribution_as_code(code: str, harmless: bool) -> None:
    state = p.pairs(p.text("_parse_arg_template"), p.text(code)) + p.BUILD
    assert p.found(p.whole(NORM + state)) == ({} if harmless else {"SM110": HIGH})


def test_scipy_takes_a_list_of_pairs_for_a_state() -> None:
    pair = p.listed(p.text("_parse_arg_template"), p.text("evil"))
    assert p.found(p.whole(NORM + p.values(pair, pair) + p.BUILD))["SM110"] is HIGH
    pair = p.pairs(p.text("_parse_arg_template"), p.NONE, p.text("evil"), p.NONE)
    assert p.found(p.whole(NORM + p.values(pair, pair) + p.BUILD))["SM110"] is HIGH
    many = b"".join(p.text(str(i)) + p.NONE for i in range(40))
    state = b"}(" + many + p.text("_parse_arg_template") + p.text("evil") + b"u" + p.BUILD
    assert p.found(p.whole(NORM + state))["SM110"] is HIGH


@pytest.mark.parametrize(
    ("formula", "harmless"),
    [
        ("y ~ a + b:c - 1", True),
        ("y ~ C(a) * np.log(b) + I(c**2)", True),
        ("y ~ I(__import__('os').system('id'))", False),
        ("y ~ open('x', 'w')", False),
        ("y ~ f(x)", False),
        ("y ~ a.b", False),
        ("y ~ a['b']", False),
        ("y ~ (lambda: 1)()", False),
        ("y ~ np.load(a)", False),
        ("y ~ a._b", False),
    ],
)
def test_statsmodels_evaluates_the_formula_of_a_state(formula: str, harmless: bool) -> None:
    for key in ("restore_model_spec", "restore_design_info"):
        state = p.pairs(p.text(key), b"\x88", p.text("formula"), p.text(formula)) + p.BUILD
        assert p.found(p.whole(DATA + state)) == ({} if harmless else {"SM110": HIGH})


@pytest.mark.parametrize("count", [0, 31, 32, 500])
def test_what_is_only_harmless_here_must_not_become_a_method(count: int) -> None:
    # `IsotonicRegression.__setstate__` calls `self._build_f`, which the state may have replaced.
    model = p.make(p.name("sklearn.isotonic", "IsotonicRegression"))
    items = b"".join(p.text(f"a{i}") + p.number(i) for i in range(count))
    for name in (
        p.name("numpy", "memmap"),
        p.name("torch.storage", "_load_from_bytes"),
        p.name("builtins", "getattr"),
    ):
        state = b"}(" + items + p.text("_build_f") + name + b"u"
        assert p.found(p.whole(model + state + p.BUILD))["SM110"] is HIGH
    state = b"}(" + items + p.text("dtype") + p.name("numpy", "float64") + b"u"
    assert p.found(p.whole(model + state + p.BUILD)) == {}


@pytest.mark.parametrize("count", [0, 40])
@pytest.mark.parametrize(
    "value",
    [
        p.name("mycompany", "f"),
        p.name("builtins", "len"),
        p.call(PARTIAL, p.name("mycompany", "f")),
        p.call(GETATTR, p.text(""), p.text("join")),
    ],
)
def test_no_attribute_takes_the_place_of_a_method_that_runs(count: int, value: bytes) -> None:
    model = p.make(p.name("sklearn.isotonic", "IsotonicRegression"))
    items = b"".join(p.text(f"a{i}") + p.number(i) for i in range(count))
    for key in ("_build_f", "__array_namespace__"):
        state = b"}(" + items + p.text(key) + value + b"u"
        assert p.found(p.whole(model + state + p.BUILD))["SM110"] is HIGH
    state = b"}(" + items + p.text("metric") + value + b"u"
    assert p.worst(p.whole(model + state + p.BUILD)) in (None, MEDIUM)


# What real picklers write of harmless things


@pytest.mark.parametrize("protocol", range(6))
def test_plain_objects_have_no_findings(protocol: int) -> None:
    values = [
        collections.OrderedDict(a=1, b=collections.OrderedDict()),
        collections.defaultdict(list, {1: [2]}),
        collections.Counter("abc"),
        collections.deque([1, 2], 3),
        datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.timezone.utc),  # noqa: UP017
        datetime.timedelta(1),
        {1, 2},
        frozenset("ab"),
        complex(1, 2),
        bytearray(b"abc"),
        b"abc",
        b"",
        range(3),
        slice(1, 2),
        ValueError("x"),
        Ellipsis,
        len,
        dict.get,
        str,
        float("nan"),
        2**100,
    ]
    for value in values:
        assert p.scan(pickle.dumps(value, protocol)) == (True, []), value
    assert p.scan(pickle.dumps(values, protocol)) == (True, [])


def test_a_million_words_have_no_findings_and_are_fast() -> None:
    data = pickle.dumps({f"word{i}": i for i in range(100_000)})
    start = time.perf_counter()
    assert p.scan(data) == (True, [])
    assert time.perf_counter() - start < 5


# Many, large, hostile


def test_one_finding_for_a_thousand_calls() -> None:
    body = p.listed(*[p.call(SYSTEM, ID) for _ in range(1000)])
    _, findings = p.scan(p.whole(body))
    assert [finding.rule for finding in findings] == ["SM101"]
    assert dict(findings[0].evidence)["times looked up"] == "1000"


def test_more_names_than_any_model_has() -> None:
    body = b"".join(p.name("mycompany", f"C{i}") + p.POP for i in range(12_000))
    rules = p.found(p.whole(body, p.call(SYSTEM, ID)))
    assert rules["SM105"] is MEDIUM


def test_the_worst_is_reported_though_the_list_is_full() -> None:
    body = b"".join(p.name("mycompany", f"C{i}") + p.POP for i in range(12_000))
    assert p.worst(p.whole(body, p.call(SYSTEM, ID))) is CRITICAL


def test_evidence_is_bounded() -> None:
    deep = p.NONE
    for _ in range(50):
        deep = p.listed(deep, deep[:0] + p.text("x" * 3000))
    _, findings = p.scan(p.whole(p.call(p.name("m" * 3000, "f" * 3000), deep)))
    for finding in findings:
        assert len(finding.message) < 500
        assert all(len(value) <= 500 for _, value in finding.evidence)


def test_shared_containers_do_not_explode() -> None:
    body = p.listed(p.number(1)) + p.put(0) + p.POP
    for i in range(60):
        body += p.listed(p.get(i), p.get(i)) + p.put(i + 1) + p.POP
    body += p.call(p.name("decimal", "Context"), p.get(60))
    body += p.call(p.name("re", "RegexFlag"), p.get(60))
    start = time.perf_counter()
    p.scan(p.whole(body))
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    "body",
    [
        p.name("builtins", "str") + p.put(0) + p.POP
        + (GETATTR + p.get(0) + p.text("x") + b"\x86R" + p.put(0) + p.POP) * 3000
        + p.get(0) + p.NOTHING + p.REDUCE,
        p.values() + p.put(0) + p.POP
        + (
            b"(" + p.name("torch._tensor", "_rebuild_from_type_v2") + p.name("torch", "Tensor")
            + p.get(0) + p.NONE + b"t" + p.put(0) + p.POP
        ) * 3000
        + p.name("torch._tensor", "_rebuild_from_type_v2") + p.get(0) + p.REDUCE,
        p.make(p.name("_io", "BytesIO")) + p.put(0) + p.get(0) + p.NONE + p.NONE + b"\x87b0"
        + p.call(p.name("torch.storage", "_load_from_bytes"), p.get(0)),
    ],
)  # fmt: skip
def test_long_chains_are_cut(body: bytes) -> None:
    assert p.worst(p.whole(body)) >= HIGH


def test_an_opcode_budget_is_a_finding() -> None:
    data = pickle.dumps([[i] for i in range(200_000)])
    _, findings = p.scan(data, limits=Limits(opcodes=1000))
    assert [finding.rule for finding in findings] == ["SM902"]


@given(st.binary(max_size=200))
def test_any_bytes_give_findings_or_none(data: bytes) -> None:
    p.scan(data)
    p.scan(p.PROTO + data)
    p.scan(p.PROTO + p.call(ORDERED) + data)


# Nested


def test_bytes_that_are_unpickled_are_scanned() -> None:
    inner = p.whole(p.call(SYSTEM, ID))
    for outer in (
        p.call(p.name("pickle", "loads"), p.raw(inner)),
        p.call(p.name("_pickle", "loads"), p.raw(inner + b"x" * 5000)),
        p.call(p.name("torch.storage", "_load_from_bytes"), p.raw(inner)),
        p.call(
            p.name("torch.storage", "_load_from_bytes"),
            p.call(p.name("_codecs", "encode"), p.text(inner.decode("latin-1")), p.text("latin1")),
        ),
    ):
        _, findings = p.scan(p.whole(outer))
        nested = [finding for finding in findings if finding.location.inside]
        assert "SM101" in {finding.rule for finding in nested}


def test_carried_code_is_critical() -> None:
    body = p.call(p.name("cloudpickle.cloudpickle", "_make_function"), p.NONE)
    assert p.found(p.whole(body))["SM114"] is CRITICAL
    body = p.call(p.name("types", "CodeType"), p.NONE)
    assert p.found(p.whole(body))["SM114"] is CRITICAL


# Several pickles, text, trailing bytes


def test_every_pickle_is_judged() -> None:
    data = p.whole(p.NONE) * 3 + p.whole(p.call(SYSTEM, ID))
    assert p.found(data) == {"SM101": CRITICAL, "SM117": Severity.INFO}


@pytest.mark.parametrize(
    ("trail", "severity"),
    [(b"\n", Severity.INFO), (b"\0" * 64, Severity.INFO), (b"junk behind it", MEDIUM)],
)
def test_bytes_behind_the_end_are_a_finding(trail: bytes, severity: Severity) -> None:
    assert p.found(p.whole(p.NONE) + trail)["SM118"] is severity


def test_a_damaged_second_pickle_still_counts() -> None:
    data = p.whole(p.NONE) + p.call(SYSTEM, ID) + b"\xff\xff"
    assert p.found(data)["SM101"] is CRITICAL


@pytest.mark.parametrize(
    "data",
    [
        b"hello world",
        b"config\nname: x\nvalue: y\n",
        b"N.B. this is text",
        b"import os\nimport sys\n",
        b"(a list)\n",
        b"].\nthis is text\n",
        b"{}\n",
        b"S'text'\n",
        b"",
        b"\x80\x7fnot a protocol",
        b"From: someone\nTo: someone\n",
        b"\0" * 100,
    ],
)
def test_text_is_no_pickle(data: bytes) -> None:
    assert p.scan(data) == (False, [])


def test_a_dangerous_name_makes_it_a_pickle_whatever_follows() -> None:
    known, findings = p.scan(b"cos\nsystem\n then nothing that is an opcode")
    assert known
    assert {"SM102", "SM901"} == {finding.rule for finding in findings}


def test_a_frame_that_straddles_is_read_in_every_way() -> None:
    hidden = p.call(SYSTEM, ID) + p.STOP
    frame = b"\x95" + (9).to_bytes(8, "little") + b"B" + len(hidden).to_bytes(4, "little")
    data = b"\x80\x04" + frame + b"xxxx" + hidden + p.STOP
    assert p.worst(data) is not None
    assert p.worst(data) >= HIGH
