"""HDF5 files: links that lead elsewhere, Keras configurations, pickles of PyTables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import DamagedError, LegacyError, UnreadableError
from safemodel.legacy.content import View
from safemodel.legacy.hdf5 import looks_like_hdf5, parse_hdf5
from safemodel.limits import GIB
from safemodel.report.model import Severity

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.legacy.hdf5_facts import Attribute, Hdf5Facts, Outside
    from safemodel.scan.scope import Scope

CONFIGS: Final = frozenset({"model_config", "training_config"})  # that Keras reads, as JSON
_BOMB: Final = 1000  # times the size of the file
_MAX_NAMES: Final = 20


def scan(content: Content, scope: Scope) -> bool:
    data = content.view()
    if not looks_like_hdf5(data):
        return False
    facts = parse_hdf5(data, spend=lambda count: scope.budget.check_time())
    for problem in facts.problems:
        scope.unread(problem)
    _links(facts, scope)
    for outside in facts.outside:
        _outside(outside, scope)
    for dataset in facts.datasets:
        if dataset.declared > 4 * GIB and dataset.declared > _BOMB * len(data):
            scope.find(
                "SM225",
                f"the dataset {dataset.path} declares {dataset.declared} bytes",
                offset=dataset.offset,
                evidence=(("path", dataset.path), ("shape", str(dataset.shape))),
            )
    for attribute in facts.attributes:
        _attribute(attribute, scope)
    for start, size in facts.pickles:
        scope.scan(f"<object at {start}>", View(data[start : start + size]), ["pickle"])
    _around(facts, data, scope)
    return True


def _links(facts: Hdf5Facts, scope: Scope) -> None:
    for link in facts.links:
        rule, message = "SM227", f"the link {link.path} is of a type of its own"
        if link.kind == "soft":
            rule, message = "SM224", f"the link {link.path} leads to {link.target}"
        elif link.kind == "external":
            rule = "SM221"
            message = f"the link {link.path} leads to {link.target} of the file {link.file}"
        evidence = (("path", link.path), ("file", link.file), ("target", link.target))
        scope.find(rule, message, offset=link.offset, evidence=evidence)


def _outside(outside: Outside, scope: Scope) -> None:
    names = ", ".join(outside.files[:_MAX_NAMES]) or "files that could not be read"
    if outside.kind == "external":
        rule, message = "SM222", f"the values of {outside.path} are bytes of {names}"
        severity = Severity.HIGH
    else:
        rule, message = "SM223", f"{outside.path} is put together from datasets of {names}"
        own = outside.complete and set(outside.files) == {"."}
        severity = Severity.LOW if own else Severity.HIGH
    evidence = (("path", outside.path), ("files", names))
    scope.find(rule, message, offset=outside.offset, severity=severity, evidence=evidence)


def _attribute(attribute: Attribute, scope: Scope) -> None:
    name = f"{attribute.owner}@{attribute.name}"
    value = attribute.value
    if attribute.name in CONFIGS:
        try:
            _config(name, value, scope, attribute.offset)
        except LegacyError as error:
            error.place, error.offset = name, attribute.offset
            scope.unread(error)
    elif value is not None and len(value) > 2 and value.endswith(b"."):
        # PyTables, and with it pandas, unpickles every text attribute that ends so.
        scope.scan(name, View(value), ["pickle"])


def _config(name: str, value: bytes | None, scope: Scope, offset: int) -> None:
    from safemodel.legacy import json_text
    from safemodel.scan.keras_rules import judge_config

    if value is None:
        raise UnreadableError("a Keras configuration that is no text")
    if not value:
        raise DamagedError("an empty Keras configuration")
    scope.fits("keras")
    judge_config(json_text.parse(value), scope.enter(name), offset=0)


def _around(facts: Hdf5Facts, data: memoryview, scope: Scope) -> None:
    """What is before the superblock and behind the end is another file, if it is anything."""
    for what, start, end in (("user block", 0, facts.base), ("bytes behind", facts.end, len(data))):
        if start < end:
            blank = not any(data[start : min(end, start + 4096)]) and not any(data[start:end])
            if not blank:
                message = f"{end - start} bytes that are no HDF5: {what}"
                scope.find("SM226", message, offset=start, length=end - start)
                scope.scan(f"<{what}>", View(data[start:end]))
