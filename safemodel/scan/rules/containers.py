"""SM4xx: archives and compressed streams that say two things, or hide something."""

from __future__ import annotations

from typing import Final

from safemodel.report.model import Rule, Severity

_REPACK: Final = (
    "Get the file from its publisher again; if this is what they publish, unpack it with a tool "
    "that you trust, scan what came out, and pack it anew."
)

RULES: Final = (
    Rule(
        "SM401",
        "zip-records-disagree",
        Severity.HIGH,
        "A ZIP archive whose directory and local headers disagree",
        "Name, method, flags, CRC-32, sizes, counts or offsets are one thing in the central "
        "directory, and another where the member itself begins.",
        "Readers choose differently: zipfile goes by the directory and refuses some "
        "contradictions, PyTorch ignores others, streaming readers see local headers only. A "
        "scanner that refuses the archive as broken, or believes the other record, misses what "
        "the loader runs (CVE-2025-10155, CVE-2025-10156, CVE-2025-1889, CVE-2025-1944, "
        "CVE-2025-1945 are of this kind).",
        "The local header calls the member `notes.txt`, the directory `archive/data.pkl`.",
        _REPACK,
    ),
    Rule(
        "SM402",
        "duplicate-member",
        Severity.HIGH,
        "Two members of an archive that readers take for the same",
        "Two members have the same name, or names that differ only in case or in kinds of slashes.",
        "Of two members, zipfile takes the last and PyTorch's reader the first; PyTorch ignores "
        "case. So one can be shown to the scanner, and the other be loaded.",
        "A torch archive with `archive/data.pkl` twice; or with `archive/DATA.PKL` before it.",
        _REPACK,
    ),
    Rule(
        "SM403",
        "several-directories",
        Severity.HIGH,
        "A ZIP archive with more than one central directory",
        "More than one end record, or an end record that leads to different directories for "
        "readers that correct its offsets and readers that do not.",
        "Which members the archive has depends on the reader. Such archives have no use but to "
        "show different content to different programs (see also CVE-2025-8291).",
        "An archive comment that holds an end record of its own.",
        _REPACK,
    ),
    Rule(
        "SM404",
        "unlisted-member",
        Severity.MEDIUM,
        "A member that no directory of the ZIP archive lists",
        "There is a local header with data, which the central directory leaves out.",
        "Readers that go through an archive from its beginning find it, others do not.",
        "An archive to which another one was appended.",
        _REPACK,
    ),
    Rule(
        "SM405",
        "bytes-outside",
        Severity.MEDIUM,
        "Bytes that belong to no part of the file",
        "Before the archive, behind it, or between its members there are bytes that its format "
        "gives no meaning.",
        "They may be a second file for another reader. What they hold was scanned too.",
        "A pickle in front of a ZIP archive, text behind its end record.",
        _REPACK,
    ),
    Rule(
        "SM406",
        "overlapping-members",
        Severity.HIGH,
        "Members of an archive that overlap",
        "The data of one member lie inside of another, or two members share theirs.",
        "That is how small archives unpack to petabytes (Fifield, A better zip bomb, 2019), and "
        "how one range of bytes is read as two different things.",
        "Two directory entries with the same offset.",
        _REPACK,
    ),
    Rule(
        "SM407",
        "escaping-name",
        Severity.HIGH,
        "A member that would be written outside of the folder it is unpacked to",
        "A name is absolute, begins with a drive, or goes up with `..`; or a link leads out.",
        "Loaders that unpack archives (model servers, converters, `tarfile` before Python 3.14) "
        "can be made to overwrite files of the user: CVE-2007-4559, CVE-2024-5187.",
        "A member `../../.bashrc`; a symbolic link to `/etc`.",
        "Do not unpack it. " + _REPACK,
    ),
    Rule(
        "SM408",
        "confusing-name",
        Severity.HIGH,
        "A member name that readers take differently",
        "The name holds a NUL byte or other control characters.",
        "zipfile cuts a name at NUL, others do not; terminals obey control characters, so a list "
        "of members can show something else than what is there.",
        "A member `data.pkl\\0.txt`.",
        _REPACK,
    ),
    Rule(
        "SM409",
        "wrong-crc",
        Severity.HIGH,
        "Content that is not what its CRC-32 or size says",
        "The content of a member has another CRC-32 or another size than the directory declares.",
        "PyTorch does not look at CRC-32s, so it loads what checking tools and scanners refuse "
        "to read (CVE-2025-10156). It may also just be damage.",
        "A torch archive in which one byte of a CRC-32 was changed.",
        _REPACK,
    ),
    Rule(
        "SM411",
        "bytes-behind-stream",
        Severity.MEDIUM,
        "Bytes behind the end of a compressed stream",
        "The compressed stream ends, the file goes on.",
        "Decompressors ignore them or stop with an error after the content was used. They may be "
        "there for another reader; what they hold was scanned too.",
        "A gzip file with a ZIP archive appended.",
        _REPACK,
    ),
    Rule(
        "SM413",
        "two-formats",
        Severity.HIGH,
        "A file that is two things at once",
        "The bytes are valid for two formats that have nothing to do with each other.",
        "What happens depends on the program that opens it, which is what such files are made "
        "for. Every reading was scanned.",
        "A tar archive whose first member's name is a pickle; an HDF5 file behind a ZIP archive.",
        _REPACK,
    ),
    Rule(
        "SM414",
        "special-member",
        Severity.MEDIUM,
        "A link, device or pipe in an archive",
        "The archive holds something other than files and folders.",
        "Unpacked by a careless program, a link redirects what is written later, and devices and "
        "pipes can stop or mislead what reads them.",
        "A tar archive with a symbolic link `weights -> /dev/stdin`.",
        _REPACK,
    ),
    Rule(
        "SM415",
        "tar-records-disagree",
        Severity.HIGH,
        "A tar archive whose headers can be read in two ways",
        "A header contradicts itself or an extended header before it: sizes, checksums, numbers; "
        "or a member is a sparse file; or a second archive is behind the end of the first.",
        "Readers choose differently (CVE-2025-62518 in tar readers is of this kind), so the list "
        "of members depends on the program.",
        "A pax header that gives a member another size than its own header does.",
        _REPACK,
    ),
    Rule(
        "SM421",
        "not-canonical",
        Severity.MEDIUM,
        "Looks like a safemodel archive, but is none",
        "The archive has a safemodel manifest, but is not the one encoding that the manifest "
        "permits, or the manifest is invalid.",
        "safemodel refuses to open it. Other programs that read ZIP archives may open it.",
        "A `.safemodel` file that was unpacked and packed again with another program.",
        "Unpack it and pack it with `safemodel pack`; then verify it.",
    ),
)
