"""SM150 to SM169: what joblib, NumPy and PyTorch do with a file besides unpickling it."""

from __future__ import annotations

from typing import Final

from safemodel.report.model import Rule, Severity

RULES: Final = (
    Rule(
        "SM150",
        "forged-array-wrapper",
        Severity.HIGH,
        "A joblib array is described as joblib does not describe it",
        "The attributes of a NumpyArrayWrapper, or of its older relatives, are not those that "
        "joblib writes: more of them, computed ones, of another class, or set twice.",
        "joblib.load calls methods of the wrapper and of what it holds, and reads as many bytes of "
        "the file as it says. An attribute called `read` replaces the method; another length makes "
        "the loader go on elsewhere than a scanner does.",
        "A wrapper whose state has a key `read` with a function as its value.",
        "Do not load the file. If it is your own, save it again with a current joblib.",
    ),
    Rule(
        "SM151",
        "array-in-another-file",
        Severity.HIGH,
        "Loads another file, from elsewhere on the disk",
        "The pickle names a file, in the format of joblib before 0.10, that is not in its own "
        "folder.",
        "joblib.load opens that path with numpy.load(allow_pickle=True), which unpickles it.",
        "An NDArrayWrapper with the filename `/tmp/x` or `../x.npy`.",
        "Do not load the file.",
    ),
    Rule(
        "SM152",
        "dtype-lies",
        Severity.HIGH,
        "A NumPy data type lies about what it holds",
        "The state of a numpy.dtype in a pickle contradicts itself: flags that deny the objects in "
        "it, fields outside of the item, a size that is not that of its parts.",
        "NumPy takes flags and sizes from the pickle. Bytes of the file are then used as addresses "
        "of Python objects, or memory outside of the array is read and written.",
        "The data type of objects with flags 0, in front of an array.",
        "Do not load the file.",
    ),
    Rule(
        "SM153",
        "bytes-after-arrays",
        Severity.LOW,
        "Bytes behind the last NumPy array",
        "An .npy file goes on behind its array, with something that is no other array.",
        "numpy.load reads one array for each call and ignores the rest; who calls it again gets "
        "whatever is there, a pickle for instance. What is there was scanned, too.",
        "`cat array.npy model.pkl`",
        "Ask where the bytes come from; save the array again without them.",
    ),
    Rule(
        "SM154",
        "forged-persistent-id",
        Severity.HIGH,
        "A PyTorch storage is described as PyTorch does not describe it",
        "A persistent id is not one that torch.save writes: of another form, with computed parts, "
        "or a storage of an unknown type.",
        "torch.load formats, compares and looks up the parts of the id, which calls methods of "
        "whatever objects they are.",
        "A storage whose key is an object of a class of the file's choice.",
        "Do not load the file.",
    ),
    Rule(
        "SM155",
        "storage-size",
        Severity.HIGH,
        "A PyTorch storage is longer than its data",
        "A tensor's storage declares more bytes than the member of the archive has.",
        "Versions of torch.load that do not compare the two read memory behind the data.",
        "A FloatStorage of a million items whose member `data/0` has four bytes.",
        "Do not load the file; get it again if it was cut off.",
    ),
    Rule(
        "SM156",
        "module-source",
        Severity.LOW,
        "Has the source text of classes inside",
        "A PyTorch file of the old format carries the source of the classes that it uses.",
        "torch.load compares it with the installed source; for a class with dump_patches set, it "
        "writes the difference into a file in the current folder. The text is never run.",
        "torch.save(model, f, _use_new_zipfile_serialization=False) writes it.",
        "None is needed. Better save a state_dict.",
    ),
    Rule(
        "SM157",
        "odd-record",
        Severity.LOW,
        "A record of a PyTorch archive is not what PyTorch writes",
        "A small record such as `byteorder` or `version` has unusual content, or a tensor's data "
        "are missing, or there is more than the tensors need.",
        "Loading fails, or ignores it.",
        "A `byteorder` that is neither `little` nor `big`.",
        "Save the model again.",
    ),
    Rule(
        "SM158",
        "dangerous-operator",
        Severity.CRITICAL,
        "A model's code calls an operator that reads or writes files, or connects",
        "TorchScript code, mobile bytecode or an exported graph names an operator that opens files "
        "or reaches other processes.",
        "Operators run when the model is called, and in `__setstate__` when it is loaded. "
        "aten::save writes any file, aten::from_file reads and creates any, image::write_file and "
        "prim::rpc_sync do what they say. weights_only has no influence on TorchScript.",
        "`torch.save(x, '/home/me/.bashrc')` in `code/__torch__.py` of a TorchScript archive.",
        "Do not load the file.",
    ),
    Rule(
        "SM159",
        "unknown-operator",
        Severity.MEDIUM,
        "A model's code calls an operator that no table knows",
        "TorchScript code, mobile bytecode or an exported graph names an operator, a namespace or "
        "a C++ class that is not one of PyTorch's own harmless ones.",
        "Custom operators are native code that was loaded into the process beforehand; what they "
        "do with a model's arguments is unknown here.",
        "`ops.mycompany.fast_nms(x)`",
        "If you know the operator and that it is harmless with any argument, allow the finding in "
        "a baseline.",
    ),
    Rule(
        "SM160",
        "native-code",
        Severity.HIGH,
        "Has native code inside",
        "The archive has a shared library, an object file or an executable.",
        "torch._inductor.aoti_load_package and the like unpack it and load it into the process, "
        "which runs its initialisers at once.",
        "A `.pt2` of AOTInductor with `data/aotinductor/model/x.so`.",
        "Load it only if you trust who built it as you trust a program; better export the model "
        "without compilation, and compile it yourself.",
    ),
    Rule(
        "SM161",
        "packaged-code",
        Severity.HIGH,
        "Has Python code inside that its loader imports",
        "The archive is a torch.package, or a TorchServe model with a handler of its own, or the "
        "like: a program by design.",
        "Loading the model imports the modules inside, which runs them.",
        "A `.mar` with `handler.py`; a torch.package with `.data/extern_modules`.",
        "Read the code before you load it, and load it only if you trust who wrote it as you trust "
        "a program.",
    ),
    Rule(
        "SM162",
        "export-expression",
        Severity.HIGH,
        "An exported program has an expression that is more than arithmetic",
        "A size, a guard or a range of an exported PyTorch program is not plain arithmetic over "
        "symbols.",
        "torch.export.load gives sizes to sympy.sympify, which evaluates them as Python; guards "
        "become source text that exec compiles and runs.",
        "An `expr_str` of `__import__('os').system('id')`.",
        "Do not load the file.",
    ),
    Rule(
        "SM163",
        "export-target",
        Severity.HIGH,
        "An exported program calls what is no operator",
        "The target of a node in an exported PyTorch program is not an operator of PyTorch, nor "
        "one of the arithmetic functions that exported graphs use.",
        "torch.export.load looks targets up by walking attributes from the modules torch, operator "
        "and math, so any function that torch imported can be reached and becomes a node that is "
        "called with arguments from the file.",
        "A target of `torch.serialization.os.system`.",
        "Do not load the file.",
    ),
    Rule(
        "SM164",
        "export-name",
        Severity.HIGH,
        "A name in an exported program breaks out of the source it becomes part of",
        "A node, an argument or a parameter of an exported PyTorch program has a name with quotes, "
        "brackets, assignments or line ends.",
        "Graphs become Python source, which is compiled and run; names are put into it as they "
        "are.",
        "An input that is called `x=__import__('os').system('id')`.",
        "Do not load the file.",
    ),
    Rule(
        "SM165",
        "export-tree",
        Severity.MEDIUM,
        "An exported program names a type that its loader imports",
        "The description of inputs or outputs of an exported PyTorch program holds an enumeration "
        "or a factory of a module that is not a plain built-in type.",
        "torch.export.load imports the module and looks the name up in it; a factory is called.",
        'A context of `{"__enum__": true, "fqn": "antigravity:x"}`.',
        "Load it only if you know the module.",
    ),
)
