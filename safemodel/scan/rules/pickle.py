"""SM101 to SM149: what a pickle would do while it is loaded."""

from __future__ import annotations

from typing import Final

from safemodel.report.model import Rule, Severity

RULES: Final = (
    Rule(
        "SM101",
        "dangerous-call",
        Severity.CRITICAL,
        "Calls a function that is known to be dangerous",
        "The pickle imports a name from the table of dangerous ones and calls it, with arguments "
        "of its own: a shell command, Python source, a path, an address.",
        "Unpickling is running a program. The call happens while the file is being loaded, before "
        "any model exists that could be looked at. Nearly all malicious models found in public "
        "repositories do just this; the families are in the finding's evidence.",
        r"`cposix\nsystem\n(S'id'\ntR.` runs `id`.",
        "Do not load the file. If it is a model that you need, ask its publisher for one in a "
        "format without code: safetensors, ONNX, or a .safemodel archive.",
    ),
    Rule(
        "SM102",
        "dangerous-global",
        Severity.HIGH,
        "Imports a name that is known to be dangerous",
        "The pickle looks up a name from the table of dangerous ones, and does not call it itself.",
        "What was looked up may be an argument of another call, or be stored in place of a method "
        "that is called later, when the model is used.",
        r"`cposix\nsystem\n.` gives the caller a function that runs shell commands.",
        "Do not load the file. No model needs such a name.",
    ),
    Rule(
        "SM103",
        "unknown-call",
        Severity.HIGH,
        "Calls a function that no table knows to be harmless",
        "The pickle calls a function or class, by REDUCE, INST or OBJ, that is neither in the "
        "table of harmless names nor in the user's policy.",
        "Lists of dangerous functions are never complete: about sixty advisories against scanners "
        "from 2023 to 2026 (CVE-2025-1716, CVE-2025-10157, pkgutil.resolve_name and others) were a "
        "function that nobody had listed. Only what is known to be harmless is.",
        "A REDUCE of `somepackage.tools.load` with a path.",
        "If you wrote the function and know that it is harmless with any argument, allow it in a "
        "policy file; else do not load the file.",
    ),
    Rule(
        "SM104",
        "unlisted-name",
        Severity.HIGH,
        "Imports what no model of that library is known to need",
        "A name of the standard library, or of a library whose models were all surveyed, that is "
        "in no table; or a dotted or special name, which reaches from one object into another.",
        "Real models of that library do not have it, so someone put it there. In a version of the "
        "library that is newer than the tables it may be a new class.",
        r"`csklearn.utils._testing\nset_random_state\n.`",
        "Update safemodel if the library is newer; allow the name in a policy file if you know "
        "what it does; else do not load the file.",
    ),
    Rule(
        "SM105",
        "unknown-global",
        Severity.MEDIUM,
        "Imports a name that no table knows",
        "The pickle looks up a class or function of a package that the tables do not cover, and "
        "may make an instance of it without calling it.",
        "Looking up a name imports its module, which runs the module's code, and making an "
        "instance runs its `__new__` and `__setstate__`. That is harmless as long as the package "
        "is what you think it is.",
        "A model with a transformer of your own: `mycompany.features.Ratio`.",
        "If the package is yours, or you trust it, allow the name in a policy file.",
    ),
    Rule(
        "SM106",
        "unlisted-use",
        Severity.HIGH,
        "Calls a known function in a way that it is not known to be harmless in",
        "The name is in the table of harmless ones, but not with these arguments, or not for being "
        "called.",
        "Many harmless functions are not with every argument: an attribute getter with a dotted "
        "name, an encoder with another codec, a constructor that takes a file name.",
        "`functools.partial` of a function that no table knows.",
        "Do not load the file, unless you know what the call does.",
    ),
    Rule(
        "SM107",
        "computed-callee",
        Severity.HIGH,
        "Calls what is only known when the pickle runs",
        "What is called is not a name, but what an earlier call, a persistent id or an extension "
        "code returned.",
        "No scanner can say what runs. Real models do not do this.",
        "REDUCE of what `operator.attrgetter('system')` returned.",
        "Do not load the file.",
    ),
    Rule(
        "SM108",
        "computed-name",
        Severity.HIGH,
        "Looks up a name that the pickle itself puts together",
        "Module or name of a lookup are not literals, but were made by other opcodes.",
        "The name that is really imported can be another than the one a scanner sees.",
        "STACK_GLOBAL over strings that come from a persistent id.",
        "Do not load the file.",
    ),
    Rule(
        "SM109",
        "extension-code",
        Severity.HIGH,
        "Uses a code of the copyreg extension registry",
        "EXT1, EXT2 or EXT4 look up a global by number, in a registry of the running process.",
        "What the number means depends on the process that loads the file, and no audit event is "
        "raised for it. No library writes such pickles.",
        r"`\x82\x01)R.`",
        "Do not load the file.",
    ),
    Rule(
        "SM110",
        "unlisted-state",
        Severity.HIGH,
        "Changes an object that real models do not change so",
        "BUILD, APPEND, SETITEM or their like are used on a function, a class or a module itself, "
        "or on an object that is not known to take state or items.",
        "State on a class replaces its methods for the whole process; state for slots runs the "
        "setters of properties; items run the object's own methods.",
        r"BUILD of `(None, {'load': ...})` on the class `pickle.Unpickler`.",
        "Do not load the file.",
    ),
    Rule(
        "SM111",
        "second-state",
        Severity.HIGH,
        "Changes an object again after it got its state",
        "An object gets state twice, or items after its state.",
        "Picklers never write that. The first state can put a function of the file's choice in "
        "place of `__setstate__`, `append` or `extend`, and the second then calls it with "
        "arguments of the file's choice, without any opcode for a call.",
        "Two BUILD opcodes on one object.",
        "Do not load the file.",
    ),
    Rule(
        "SM112",
        "persistent-id",
        Severity.LOW,
        "Asks its loader for objects by persistent id",
        "The pickle refers to objects outside of itself; `pickle.load` alone raises an error.",
        "Only a loader with a `persistent_load` of its own reads it, such as torch.load; what the "
        "ids mean is up to that loader.",
        "The data.pkl of a PyTorch checkpoint, taken out of its archive.",
        "Scan the whole file that the pickle was taken from.",
    ),
    Rule(
        "SM113",
        "unexpected-persistent-id",
        Severity.HIGH,
        "A persistent id that its loader does not know",
        "The id has another form than the loader of this format writes.",
        "What the loader does with it is not what it does for real files: it raises an error, or "
        "looks up an object of the file's choice.",
        "A PyTorch checkpoint with the id `('module', 'os')`.",
        "Do not load the file.",
    ),
    Rule(
        "SM114",
        "carries-code",
        Severity.CRITICAL,
        "Carries code of its own",
        "The pickle holds functions or classes by value, as cloudpickle and dill write them: "
        "bytecode, from which they are made again.",
        "Bytecode runs as soon as the function is called, or while a class is being made. It can't "
        "be read like source, and malformed bytecode can take over the interpreter itself.",
        "`cloudpickle.dumps(lambda x: x)`.",
        "Load it only if you would run a program by the same author. Ask for a model whose classes "
        "are in an installed package.",
    ),
    Rule(
        "SM115",
        "odd-pickle",
        Severity.LOW,
        "Something that no pickler writes",
        "The pickle is well-formed for its unpickler, but has parts that no pickler writes.",
        "It was made or changed by hand. By itself it does nothing.",
        "A BUILD on a plain list, at which every unpickler stops.",
        "Ask where the file comes from.",
    ),
    Rule(
        "SM116",
        "ambiguous-pickle",
        Severity.HIGH,
        "Unpicklers disagree on what the pickle says",
        "The C and the Python implementation of pickle go on differently from here: frames that do "
        "not end where an opcode does, arguments that one of them refuses.",
        "What one scanner or loader sees as data, another one runs (CPython issue 148854). Both "
        "readings were judged.",
        "A FRAME that ends in the middle of a string.",
        "Do not load the file.",
    ),
    Rule(
        "SM117",
        "several-pickles",
        Severity.INFO,
        "More than one pickle",
        "Behind the end of the first pickle there are others. All of them were judged.",
        "`pickle.load` reads one for each call, so the others are only run by a program that asks "
        "for them; scanners that stop at the first do not see them.",
        "Two results of `pickle.dumps` in one file.",
        "None, if the program that reads the file expects it.",
    ),
    Rule(
        "SM118",
        "trailing-bytes",
        Severity.MEDIUM,
        "Bytes behind the end that are no pickle",
        "Behind the last pickle there are bytes that nothing which reads pickles reads.",
        "They are ignored by `pickle.load`, and may be another file for another loader: a ZIP "
        "archive is read from its end.",
        "A pickle with a ZIP archive behind it.",
        "Ask where the file comes from.",
    ),
    Rule(
        "SM120",
        "denied",
        Severity.HIGH,
        "Uses a name that the policy denies",
        "The policy file that was given for this scan denies the name.",
        "Someone decided so; the reason is in the finding.",
        '`[[deny]]` `name = "mypackage.legacy.*"`',
        "Do what the policy's reason says.",
    ),
)
