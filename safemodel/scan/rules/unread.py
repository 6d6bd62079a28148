"""SM9xx: what could not be read. It is never called harmless."""

from __future__ import annotations

from typing import Final

from safemodel.report.model import Rule, Severity

RULES: Final = (
    Rule(
        "SM901",
        "damaged",
        Severity.MEDIUM,
        "Damaged, or not what it begins as",
        "The bytes are not what their format permits, or end before they should.",
        "A loader may stop there, or may read on differently than this scanner does; what comes "
        "after that place was not judged.",
        "A pickle whose last bytes are missing, after a download was cut off.",
        "Get the file again, and compare its size or digest with the publisher's.",
    ),
    Rule(
        "SM902",
        "over-budget",
        Severity.MEDIUM,
        "Larger, deeper or slower than a scan may be",
        "Reading on would pass a budget: bytes after decompression, members, depth, opcodes, "
        "seconds.",
        "Bombs and endless structures make scanners give up; what a scanner gave up on may hold "
        "anything.",
        "A gzip file of 1 MB that inflates to a terabyte.",
        "If the file is meant to be so large, raise the budget that the message names.",
    ),
    Rule(
        "SM903",
        "unreadable",
        Severity.MEDIUM,
        "Recognised, but this scanner can't read it",
        "The format is encrypted, rare, or needs a library that is not installed.",
        "Some loader reads it, and what it would run is unknown here.",
        "A 7-Zip archive, an encrypted ZIP member, a Core ML model.",
        "Do what the finding says: install the library, unpack it, or scan with another tool.",
    ),
    Rule(
        "SM904",
        "not-opened",
        Severity.MEDIUM,
        "Could not be opened",
        "The file system refused: no permission, an I/O error, a broken link, a device.",
        "Nothing of it was read.",
        "A file that another user owns.",
        "Run the scan as someone who may read the file.",
    ),
    Rule(
        "SM905",
        "unrecognised",
        Severity.MEDIUM,
        "Named for a scan, but of no known format",
        "A file that was named directly, or any with --strict, is of no format that this scanner "
        "knows.",
        "Some loader may open it all the same.",
        "`safemodel scan notes.docx`",
        "If no loader opens it, leave it out of the scan.",
    ),
    Rule(
        "SM906",
        "more-findings",
        Severity.MEDIUM,
        "More findings than are reported",
        "The file has more findings than a report lists one by one.",
        "The first ones tell enough about the file; the others were counted only.",
        "A pickle that imports ten thousand unknown names.",
        "Do not load it.",
    ),
    Rule(
        "SM909",
        "scanner-failed",
        Severity.HIGH,
        "The scanner itself failed",
        "Reading the file ended in an error that is a defect of safemodel, or its process died.",
        "What the file holds is unknown.",
        "None is known; each is a bug.",
        "Do not load the file. Please report it (SECURITY.md), with the file if you may.",
    ),
)
