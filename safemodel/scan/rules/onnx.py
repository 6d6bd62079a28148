"""SM320 to SM339: ONNX models that reach for files, or for code outside of the standard."""

from __future__ import annotations

from typing import Final

from safemodel.report.model import Rule, Severity

RULES: Final = (
    Rule(
        "SM320",
        "onnx-external-path",
        Severity.HIGH,
        "An ONNX tensor that is read from a file outside of the model's folder",
        "The location of external data is absolute, has `..`, a drive letter or a scheme, or is "
        "the mark by which ONNX Runtime means an address in memory; or its offset or length is no "
        "number.",
        "Loaders read what is there as the numbers of a tensor, which the model can then give "
        "away: CVE-2022-25882, CVE-2024-27318, CVE-2024-7776 in onnx. ONNX Runtime reads external "
        "data of subgraphs, attributes and functions, too, even for models given as bytes.",
        "`external_data { key: 'location' value: '../../../etc/passwd' }`",
        "Do not load it.",
    ),
    Rule(
        "SM321",
        "onnx-unknown-domain",
        Severity.MEDIUM,
        "An ONNX operator of a domain that is not known",
        "A node is of a domain that is none of ONNX or ONNX Runtime, and the model defines no such "
        "function.",
        "It runs only with a library of custom operators, that is machine code; what the operator "
        "does is unknown here.",
        "`node { op_type: 'Exec' domain: 'acme' }`",
        "Find out which library it needs, and where that comes from.",
    ),
    Rule(
        "SM322",
        "onnx-code-operator",
        Severity.HIGH,
        "An ONNX operator that runs Python code or connects to a service",
        "PyOp, PythonOp and their like call Python functions by name; other operators of ONNX "
        "Runtime extensions send their input to an address that the model names.",
        "The function is looked up among what is installed or registered, and called while the "
        "model runs.",
        "`node { op_type: 'PyOp' domain: 'com.microsoft' attribute { name: 'module' s: 'os' } }`",
        "Do not run it.",
    ),
    Rule(
        "SM323",
        "onnx-ambiguous",
        Severity.MEDIUM,
        "An ONNX model that parsers understand differently",
        "A field that occurs twice where there can be one, or with another wire type than it has.",
        "Parsers merge, ignore, or take the last; a file of this kind can be two models at once, "
        "also one of ONNX and one of TensorFlow.",
        "Two graphs in one model.",
        "Export the model again.",
    ),
    Rule(
        "SM324",
        "onnx-overflow",
        Severity.HIGH,
        "An ONNX tensor with dimensions that overflow",
        "A dimension is negative, or the product of all is beyond 2^60.",
        "Readers in C allocate by the product, and write by the dimensions.",
        "`dims: 4611686018427387904 dims: 8`",
        "Do not load it.",
    ),
    Rule(
        "SM325",
        "onnx-compiled-context",
        Severity.MEDIUM,
        "An ONNX model with a compiled part in a file of its own",
        "A node EPContext names the file of an engine that was compiled for some accelerator.",
        "The provider loads that file: it is machine code in all but name. One outside of the "
        "model's folder is SM320.",
        "`attribute { name: 'ep_cache_context' s: 'model_ctx.bin' }`",
        "Compile it yourself from the plain model.",
    ),
    Rule(
        "SM326",
        "onnx-session-options",
        Severity.LOW,
        "An ONNX model that brings options of its own for a session",
        "The metadata have the key `ort_config`.",
        "ONNX Runtime applies them where ORT_LOAD_CONFIG_FROM_MODEL=1 is set: among them, whether "
        "a profile is written.",
        "`metadata_props { key: 'ort_config' value: '{\"session_options\": …}' }`",
        "Leave that variable unset.",
    ),
    Rule(
        "SM327",
        "onnx-unknown-operator",
        Severity.LOW,
        "An ONNX operator that its domain does not have",
        "A node names an operator that is not in the list of ONNX's or ONNX Runtime's own, under "
        "their domain.",
        "It is newer than that list, or a library of custom operators brings it.",
        "`node { op_type: 'Exec' }`",
        "Compare with the list of operators of the runtime that you use.",
    ),
)
