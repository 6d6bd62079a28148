"""ONNX: a closed table of operators, and tensors only from the model's own folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import LegacyError
from safemodel.legacy import onnx
from safemodel.legacy.onnx import External, Function, Metadata, Operator
from safemodel.report.model import Severity
from safemodel.scan import tables
from safemodel.scan.evidence import bounded
from safemodel.scan.outside import leads_outside

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope

# Domains of ONNX Runtime and its providers that no list of operators is needed for.
_DOMAINS: Final = frozenset(
    {
        "com.microsoft.dml",
        "com.microsoft.experimental",
        "com.microsoft.mlfeaturizers",
        "com.microsoft.wcos",
        "com.xilinx",
        "com.qti.aisw",
    }
)
# Domains of the extensions that Microsoft publishes: a library, but a known one.
_EXTENSIONS: Final = frozenset({"ai.onnx.contrib", "com.microsoft.extensions"})
_CODE: Final = frozenset({"PyOp", "PythonOp", "PythonOpGrad", "PyFunc"})
_REMOTE: Final = ("Azure", "OpenAI")
# By which ONNX Runtime means that a tensor's offset is an address in its own memory.
_ADDRESS: Final = "_ORT_MEM"
_KEYS: Final = frozenset({"location", "offset", "length", "checksum", "basepath"})
_ODDITIES: Final = (
    ("SM323", Severity.LOW),
    ("SM323", Severity.MEDIUM),
    ("SM324", Severity.HIGH),
)


def scan(content: Content, scope: Scope) -> bool:
    """Scan an ONNX model."""
    if content.size is None and not onnx.is_onnx(content.head()):
        return False
    data = content.view()
    if not onnx.is_onnx(data):
        return False
    judge = _Judge(scope)
    try:
        for fact in onnx.walk(data, spend=lambda _: scope.budget.check_time()):
            judge.see(fact)
    except LegacyError as error:
        scope.unread(error)
    judge.finish()
    return True


class _Judge:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.operators: dict[tuple[str, str], int] = {}
        self.functions: set[tuple[str, str]] = set()
        self.seen: set[tuple[tuple[str, str], ...]] = set()

    def see(self, fact: onnx.Fact) -> None:
        if isinstance(fact, Operator):
            self.operators.setdefault((fact.domain, fact.name), fact.offset)
            if fact.texts:
                self.context(fact)
        elif isinstance(fact, Function):
            self.functions.add((fact.domain, fact.name))
        elif isinstance(fact, External):
            self.external(fact)
        elif isinstance(fact, Metadata):
            if fact.key == "ort_config":
                evidence = [("ort_config", fact.value)]
                self.scope.find(
                    "SM326", "brings options for a session", offset=fact.offset, evidence=evidence
                )
        else:
            rule, severity = _ODDITIES[fact.weight]
            self.scope.find(rule, fact.message, offset=fact.offset, severity=severity)

    def external(self, fact: External) -> None:
        """Data of a tensor that are elsewhere. Most tensors of a model are in the same file."""
        entries = tuple(entry for entry in fact.entries if not _plain_number(*entry))
        if entries in self.seen:
            return
        self.seen.add(entries)
        for key, value in entries:
            evidence = [("tensor", fact.tensor), (key, value)]
            if key == "location":
                why = leads_outside(value)
                if _ADDRESS in value:
                    why = "is an address in memory"
                if why:
                    message = f"external data at {bounded(value)}: {why}"
                    self.scope.find("SM320", message, offset=fact.offset, evidence=evidence)
            elif key in ("offset", "length"):
                self.scope.find(
                    "SM320",
                    f"external data with a {key} that is no such number",
                    offset=fact.offset,
                    evidence=evidence,
                )
            elif key not in _KEYS:
                self.scope.find(
                    "SM323",
                    f"external data with the key {bounded(key, 100)}",
                    offset=fact.offset,
                    evidence=evidence,
                )

    def context(self, fact: Operator) -> None:
        """The node of a compiled part, which may be in a file of its own."""
        texts = dict(fact.texts)
        names = [texts.get("onnx_model_filename", "")]
        if texts.get("embed_mode", "1") != "1":
            names.append(texts.get("ep_cache_context", ""))
        for name in filter(None, names):
            why = leads_outside(name)
            self.scope.find(
                "SM320" if why else "SM325",
                f"a compiled part in {bounded(name)}" + (f", which {why}" if why else ""),
                offset=fact.offset,
                evidence=[("file", name)],
            )

    def finish(self) -> None:
        """Judge the operators, now that the model's own functions are known."""
        for (domain, name), offset in self.operators.items():
            if (domain, name) in self.functions:
                continue
            evidence = [("domain", domain or "ai.onnx"), ("operator", name)]
            label = f"{domain}::{name}" if domain else name
            known = tables.onnx(domain or "ai.onnx")
            if name in _CODE or name.startswith("PyCustomOp"):
                self.scope.find(
                    "SM322",
                    f"the operator {label} calls a Python function",
                    offset=offset,
                    evidence=evidence,
                )
            elif domain in _EXTENSIONS:
                if name.startswith(_REMOTE):
                    self.scope.find(
                        "SM322",
                        f"the operator {label} sends its input to a service",
                        offset=offset,
                        evidence=evidence,
                    )
            elif not known and domain not in _DOMAINS:
                self.scope.find(
                    "SM321",
                    f"the operator {label} is of no domain that is known here",
                    offset=offset,
                    evidence=evidence,
                )
            elif known and name not in known:
                self.scope.find(
                    "SM327",
                    f"the operator {label} is not known here",
                    offset=offset,
                    evidence=evidence,
                )


def _plain_number(key: str, value: str) -> bool:
    """Whether an entry is an offset or a length as writers write it."""
    return key in ("offset", "length") and value.isascii() and value.isdigit() and len(value) < 19
