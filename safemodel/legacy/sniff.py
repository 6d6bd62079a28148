"""Which formats a content may be of: all that some loader would take it for, by its bytes.

Names do not count, and one answer does not exclude another: a file may begin as a pickle and end
as a ZIP archive. The answers are candidates; the handler of a format decides. Text, images and
tables of data have no answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import BudgetError, DamagedError
from safemodel.legacy import protobuf
from safemodel.legacy.content import HEAD
from safemodel.legacy.magic import guess, recognise

if TYPE_CHECKING:
    from safemodel.legacy.content import Content

# Formats that are pickles and something more, the most particular first: the first that fits is
# the one by which the content is read.
PICKLES: Final = ("joblib", "torch_legacy", "pickle")
_SINGLE: Final = ("joblib", "pickle")
_FIRST_PICKLE: Final = 256  # bytes within which the first one of PyTorch's legacy format ends
LAST_RESORT: Final = "guessed"  # counts only if nothing else fits
PROTOBUFS: Final = ("onnx", "saved_model", "graph_def")
TEXTS: Final = ("json", "jinja")  # templates of chats are strings in JSON, too

_OPCODES: Final = frozenset(b"(.012FIJKLMNPQRSTUVXabcde}ghijl]opqrstu)BCG") | frozenset(
    range(0x80, 0x99)
)
_END_RECORD: Final = b"PK\x05\x06"
_ZIP_REACH: Final = 1 << 17  # as in zip_records
_TAR_BLOCK: Final = 512
_NUMBERS: Final = frozenset(b"01234567+-_ \t\n\r\v\f\x1c\x1d\x1e\x1f\x80\xff")  # how one begins
_FIELDS: Final = 32  # above the numbers of all fields that models have at the top
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_IN_OBJECT: Final = (b'"', b"}", b" ", b"\t", b"\r", b"\n", b"")  # what follows "{" in JSON
_SKIPPABLE_REACH: Final = 16  # frames to skip before the kind of the stream is given up

_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x93NUMPY", "npy"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x02\x21\x4c\x18", "lz4-legacy"),
    (b"ZF", "zfile"),
    (b"GGUF", "gguf"),
    (b"lmgg", "gguf"),
    (b"fmgg", "gguf"),
    (b"tjgg", "gguf"),
    (b"algg", "gguf"),
)
_FIRST: Final = frozenset(magic[0] for magic, _ in _MAGIC)
_GRAPH_TEXT: Final = frozenset(b"# \t\r\n" + b"acdglmnosv")  # how TensorFlow's texts begin
_SPACE: Final = b" \t\r\n\xef\xbb\xbf\xff\xfe"


def formats(content: Content) -> tuple[str, ...]:
    """Every format that some loader may take the content for; names of handlers."""
    head = bytes(content.head())
    if not head:
        return ()
    found: list[str] = []
    if head[0] in _FIRST:
        found += [name for magic, name in _MAGIC if head.startswith(magic)]
    found += _compressed(head)
    if head[0] in _OPCODES and not _begins_zip(head):
        found += PICKLES if _has_sequel(head) else _SINGLE
    if _is_zip(content, head):
        found.append("zip")
    if is_tar(head):
        found.append("tar")
    if _is_hdf5(content, head):
        found.append("hdf5")
    if _is_safetensors(head, content.size):
        found.append("safetensors")
    if _is_json(head):
        found.append("json")
    if b"\0" not in head:
        found += _texts(head)
        if head[0] in _GRAPH_TEXT:
            found.append("graph_text")
    if _is_protobuf(head):
        found += PROTOBUFS
    if recognise(head) is not None:
        found.append("recognised")
    elif guess(head) is not None:
        found.append(LAST_RESORT)
    return tuple(found)


def _has_sequel(head: bytes) -> bool:
    """Whether there may be several pickles: an early STOP with something behind it."""
    return 0 <= head.find(b".", 0, _FIRST_PICKLE) < len(head) - 1


def _is_json(head: bytes) -> bool:
    """Whether an object or list may begin here; in UTF-16 and UTF-32, too."""
    start = head[:64].replace(b"\0", b"") if b"\0" in head[:4] else head
    return start.lstrip(_SPACE)[:1] in (b"{", b"[")


def _texts(head: bytes) -> list[str]:
    """Texts that are templates, or YAML with tags; most are not."""
    found = ["jinja"] if b"{{" in head or b"{%" in head else []
    if any(mark in head for mark in (b"!!", b"!<", b"%TAG", b"python_function")):
        found.append("yaml")
    return found


def _is_protobuf(head: bytes) -> bool:
    """Whether a message with fields of a model may begin here, behind others that are unknown."""
    if head[0] & 7 not in (0, 1, 2, 3, 5):
        return False
    if head[0] < 0x80:
        return head[0] >> 3 > 0
    # Most are pickles: these are no messages beyond their first bytes.
    try:
        return any(number < _FIELDS for number, *_ in protobuf.fields(memoryview(head)))
    except DamagedError as error:
        tag = head[error.offset] if error.offset and error.offset < len(head) else head[0]
        return tag < 0x80 and tag & 7 == protobuf.BYTES  # what it holds ends behind the head
    except BudgetError:
        return False


def _compressed(head: bytes) -> list[str]:
    """Streams whose kind takes more than a look at the first bytes."""
    if head.startswith(b"BZh") and head[3:4] in b"123456789":
        return ["bzip2"]
    if _is_zlib(head):
        return ["zlib"]
    if is_lzma(head):
        return ["lzma"]
    if head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        return _skippable(head)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return ["zstd"]
    if head.startswith(b"\x04\x22\x4d\x18"):
        return ["lz4"]
    return []


def _is_zlib(head: bytes) -> bool:
    method, flags = head[0], head[1:2]
    if method & 0x8F != 0x08 or not flags or flags[0] & 0x20:
        return False
    return not int.from_bytes(head[:2], "big") % 31


def _skippable(head: bytes) -> list[str]:
    """Behind frames to be skipped, which zstd and lz4 have in common."""
    at = 0
    for _ in range(_SKIPPABLE_REACH):
        if head[at + 1 : at + 4] != b"\x2a\x4d\x18" or head[at] & 0xF0 != 0x50:
            break
        at += 8 + int.from_bytes(head[at + 4 : at + 8], "little")
    if head[at : at + 4] == b"\x28\xb5\x2f\xfd":
        return ["zstd"]
    if head[at : at + 4] == b"\x04\x22\x4d\x18":
        return ["lz4"]
    return ["zstd", "lz4"]


def is_lzma(head: bytes) -> bool:
    """Whether this may be the header of an .lzma file, by the test of liblzma itself."""
    if len(head) < 13 or head[0] >= 225:
        return False
    dictionary = int.from_bytes(head[1:5], "little")
    size = int.from_bytes(head[5:13], "little")
    if size != (1 << 64) - 1 and not 0 < size < 1 << 38:
        return False
    if dictionary == 0xFFFFFFFF:
        return True
    rest = dictionary & (dictionary - 1)  # without its lowest bit
    return not rest or (not rest & (rest - 1) and rest >> 1 == dictionary ^ rest)


def _begins_zip(head: bytes) -> bool:
    """Whether a record of a ZIP archive is first.

    To an unpickler that is a persistent id, at which each fails: those of loaders that know such
    ids look for ZIP archives before.
    """
    return head[:2] == b"PK" and head[2:4] in (b"\x03\x04", b"\x05\x06", b"\x07\x08")


def _is_zip(content: Content, head: bytes) -> bool:
    if _begins_zip(head):
        return True
    if content.size is None:  # a stream is not read to its end for that
        return len(head) < HEAD and _END_RECORD in head
    view = content.view()
    return _END_RECORD in bytes(view[max(0, len(view) - _ZIP_REACH) :])


def is_tar(head: bytes) -> bool:
    """Whether the first block is a tar header: its digest fits, as tarfile wants it."""
    block = head[:_TAR_BLOCK]
    if len(block) < _TAR_BLOCK:
        return False
    if block[257:262] == b"ustar":
        return True
    if block[148] not in _NUMBERS or not any(block[148:156]):
        return False
    from safemodel.legacy.tar import parse_header

    return parse_header(block, 0) is not None


def _is_hdf5(content: Content, head: bytes) -> bool:
    """The signature at 0, or behind a user block of 512 bytes or twice, four times ... that."""
    if head.startswith(_HDF5):
        return True
    known = len(head) if content.size is None else content.size
    data = memoryview(head) if content.size is None else content.view()
    at = 512
    while at + len(_HDF5) <= known:
        if data[at] == 0x89 and bytes(data[at : at + len(_HDF5)]) == _HDF5:
            return True
        at *= 2
    return False


def _is_safetensors(head: bytes, size: int | None) -> bool:
    if head[8:9] != b"{" or head[9:10] not in _IN_OBJECT:
        return False
    length = int.from_bytes(head[:8], "little")
    return 2 <= length <= 1 << 40 and (size is None or length <= 2 * size + (1 << 20))
