"""Reports to render: one of everything, and one whose every text is hostile."""

from __future__ import annotations

from safemodel.report.model import (
    FileReport,
    Finding,
    Location,
    Report,
    Rule,
    Severity,
    Status,
    Suppressed,
)

HOSTILE = (
    "<script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>",
    "</style><svg onload=alert(1)>&lt;",
    "\x1b]52;c;aGk=\x07\x1b[2Kno findings",
    "a\nmodels/ok.pkl: no findings\r\u202egpj.exe\u2066\u200b",
    "[click](http://example.invalid) {0} %s ${x} {{7*7}}",
    "nul\x00 \ud800 \udcff \U000e0041",
)

RULES = {
    rule.id: rule
    for rule in (
        Rule(
            "SM101", "dangerous-call", Severity.CRITICAL, "Calls something dangerous",
            "The pickle calls a function that runs commands.",
            "Loading the file runs it (CVE-2025-1716).", "`cos\\nsystem`", "Do not load it.",
        ),
        Rule(
            "SM104", "unknown-global", Severity.MEDIUM, "Refers to an unknown class",
            "The pickle builds an object of a class that no table knows.",
            "Its module is imported.", "`cacme\\nNet`", "Ask where it comes from.",
        ),
        Rule(
            "SM901", "damaged", Severity.MEDIUM, "Damaged", "The bytes are not permitted.",
            "A loader may read on.", "A cut file.", "Get the file again.",
        ),
    )
}  # fmt: skip


def finding(
    rule: str,
    path: str,
    message: str = "calls posix.system",
    *,
    inside: tuple[str, ...] = (),
    offset: int | None = 28,
    evidence: tuple[tuple[str, str], ...] = (("global", "posix.system"), ("arguments", "('id',)")),
    remedy: str = "",
) -> Finding:
    location = Location(path, inside, offset, None if offset is None else 1)
    return Finding(rule, RULES[rule].severity, message, location, evidence, remedy)


def report() -> Report:
    """Findings of each kind, in nested members, suppressed, unread, skipped."""
    path = "models/resnet.pt"
    files = (
        FileReport("models/ok.pkl", Status.SCANNED, ("pickle",), 40),
        FileReport(
            path, Status.SCANNED, ("zip", "torch", "pickle"), 12_345_678, "ab" * 32, 7,
            (
                finding("SM104", path, "builds acme.Net", inside=("archive/data.pkl",)),
                finding("SM101", path, inside=("archive/data.pkl", "blob.gz", "<gzip>")),
            ),
        ),
        FileReport(
            "models/old.pkl", Status.UNREAD, ("pickle",), 3, "cd" * 32, 0,
            (finding("SM901", "models/old.pkl", "opcode 0x20 is unknown", evidence=()),),
        ),
        FileReport(
            "models/known.pkl", Status.SCANNED, ("pickle",), 30, "ef" * 32, 0, (),
            (Suppressed(finding("SM104", "models/known.pkl"), "ours, see #12", "2027-01-31"),),
        ),
        FileReport("models/notes.txt", Status.SKIPPED, (), 12),
    )  # fmt: skip
    return Report(files, "9.9.9", "2026.11.1", frozenset(), ("a note",))


def clean(path: str = "ok.pkl") -> Report:
    """One file without findings, named directly."""
    file = FileReport(path, Status.SCANNED, ("pickle",), 40)
    return Report((file,), "9.9.9", "2026.11.1", frozenset({path}))


def hostile() -> Report:
    """Every text is one that should not get out."""
    files = tuple(
        FileReport(
            text, Status.SCANNED, (text,), 1, "ab" * 32, 1,
            (finding("SM101", text, text, inside=(text, text), evidence=((text, text),),
                     remedy=text),),
            (Suppressed(finding("SM104", text, text), text, text),),
        )
        for text in HOSTILE
    )  # fmt: skip
    skipped = tuple(FileReport(f"{text}.txt", Status.SKIPPED, (), 12) for text in HOSTILE)
    return Report((*files, *skipped), "9.9.9", "2026.11.1", frozenset(HOSTILE), HOSTILE)
