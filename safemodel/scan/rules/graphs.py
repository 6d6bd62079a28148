"""SM301 to SM319: what the operations of a TensorFlow graph do besides computing."""

from __future__ import annotations

from typing import Final

from safemodel.report.model import Rule, Severity

_REMEDY: Final = (
    "Do not load or run the model. If the operation is part of preprocessing that you wrote, do "
    "that in Python, and save the model without it."
)

RULES: Final = (
    Rule(
        "SM301",
        "graph-runs-code",
        Severity.CRITICAL,
        "An operation that runs code outside of the graph",
        "PyFunc and its relatives, custom calls, a graph that is built from a string.",
        "They call Python functions or native code of the process, with the graph's arguments.",
        "tf.py_function in a saved function.",
        _REMEDY,
    ),
    Rule(
        "SM302",
        "graph-writes-files",
        Severity.CRITICAL,
        "An operation that writes files",
        "WriteFile, a summary writer, a dataset that is saved: the name of the file is in the "
        "graph.",
        "Running the graph, for some already loading it, writes content of its choice to a path "
        "of its choice: a program that runs at the next log-in is enough.",
        'tf.io.write_file("/home/user/.bashrc", payload)',
        _REMEDY,
    ),
    Rule(
        "SM303",
        "graph-reads-files",
        Severity.HIGH,
        "An operation that reads files",
        "ReadFile, MatchingFiles, ImmutableConst, dataset and record readers.",
        "Any file of the machine that runs the graph gets into its outputs, and to whoever may "
        "ask the model.",
        'tf.io.read_file("/etc/passwd")',
        _REMEDY,
    ),
    Rule(
        "SM304",
        "graph-connects",
        Severity.HIGH,
        "An operation that connects to a server",
        "Data services, remote procedure calls.",
        "Running the graph opens a connection to an address in the graph.",
        "tf.data.experimental.service in a saved function.",
        _REMEDY,
    ),
    Rule(
        "SM305",
        "graph-saver",
        Severity.HIGH,
        "Saves or restores variables at a path of its own",
        "SaveV2, RestoreV2 and their relatives with a name that is not the one the loader gives.",
        "Every SavedModel has these operations, fed with the path of its own variables. With a "
        "constant path they read or overwrite other files.",
        'RestoreV2 with the constant "/other/model/variables" as prefix.',
        _REMEDY,
    ),
    Rule(
        "SM306",
        "graph-table-file",
        Severity.HIGH,
        "A lookup table is filled from a file outside of the model",
        "InitializeTableFromTextFile with a path that is no asset of the SavedModel.",
        "Loading the model reads that file into a table, whose content the graph can give out.",
        'A constant "/etc/passwd" as the file of a table.',
        _REMEDY,
    ),
    Rule(
        "SM307",
        "graph-debug-target",
        Severity.HIGH,
        "A debugging operation with a target",
        "DebugIdentity, PrintV2 and their relatives with the path of a file or an address.",
        "What passes through the graph is written to the file or sent to the address.",
        'PrintV2 with output_stream="file:///home/user/.bashrc".',
        _REMEDY,
    ),
    Rule(
        "SM308",
        "graph-unknown-operation",
        Severity.MEDIUM,
        "An operation that TensorFlow does not have",
        "The name of an operation that is not in the table of reviewed ones.",
        "It comes with a library that the caller must load, or with a newer TensorFlow; what it "
        "does is unknown.",
        "An operation `MyOp`.",
        "Find out which library has it, and whether you trust it.",
    ),
    Rule(
        "SM309",
        "graph-ends-process",
        Severity.MEDIUM,
        "An operation that ends the process",
        "Abort.",
        "Running the graph ends the process that runs it.",
        "Abort with an error message.",
        _REMEDY,
    ),
    Rule(
        "SM310",
        "graph-asset-path",
        Severity.HIGH,
        "An asset of a SavedModel that lies elsewhere",
        "The name of an asset leads out of the folder `assets`: absolute, or with `..`.",
        "The loader joins it with the folder and hands the path to the operations that read it.",
        'filename: "../../../../etc/passwd"',
        "Do not load the model.",
    ),
)
