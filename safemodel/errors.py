"""Every error that safemodel raises, in one tree.

Any bytes in any file of a bundle raise one of these and nothing else. The class names are the
`expect` values of the test vectors in `spec/vectors/`: specification, code and tests share them.

    SafemodelError
      + UsageError                 an argument that makes no sense                          (exit 2)
      + SourceError                could not be read at all                                 (exit 2)
        - MissingFileError         no such file or folder
        - NotABundleError          readable, but not a bundle: text, a legacy model, ...
          . GitLfsPointerError     the pointer that Git LFS left in place of the file
        - ChangedFileError         the file was replaced or rewritten while it was read
      + KeyFileError               a key that can't be read: damaged, wrong password, ...   (exit 2)
      + FormatError                bytes that format 1 does not permit                      (exit 1)
        - TruncatedError           the file ends before its content does
        - JsonError                not canonical JSON
        - ContainerError           not a canonical ZIP
        - FolderError              a folder with links, special files or extra files
        - MemberNameError          a member name that is not permitted
        - ManifestError            manifest.json says something that it must not
        - WeightsError             not a canonical safetensors member
        - SignatureFormatError     a signature file that is malformed
        - LimitError               larger, deeper or more than limits.py permits
        - UnsupportedError         a format version or feature that this reader does not know
        - MissingMemberError       the manifest declares a member that is not there
      + VerificationError          well-formed, and refused                                 (exit 1)
        - UnsignedError            no signature
        - UntrustedSignerError     signed, but by no key that counts here
        - BadSignatureError        a signature that does not verify, or is over something else
        - ExpiredError             the signed statement has expired
        - WrongModelError          validly signed, but not the model that was asked for
        - DigestMismatchError      bytes that differ from what was signed
      + AdapterError               between a live object and a bundle                       (exit 1)
        - UnsavableError           the object has a part that can't be represented
        - ArchitectureError        the architecture describes something that must not be built
          . NotAllowedError        something that only the caller can allow
        - StateMismatchError       the state does not fit the object given as `into=`
        - MissingLibraryError      the framework is not installed                           (exit 2)
      + LegacyError                a legacy file that could not be read as far as it goes   (exit 2)
        - DamagedError             bytes that the format does not permit, or that are missing
        - BudgetError              larger, deeper, longer or more than a scan may take
        - UnreadableError          recognised, but no reader is at hand: encrypted, rare, ...
      + ConvertError               a legacy file that is not turned into a bundle           (exit 1)
        - FindingsError            the scan of it has findings
        - UnconvertibleError       something in it that has no interpretation
      + BlockedError               the guard stopped a load                                 (exit 1)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class SafemodelError(Exception):
    """The root of all errors of this package.

    `message` says what was wrong; `path` which file, `place` where in it (a member, a chunk, a
    tensor, an attribute), `hint` what to do next. `str()` joins path, place and message.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        place: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        return ": ".join(part for part in (self.path, self.place, self.message) if part)


@contextmanager
def locating(*, path: str | None = None, place: str | None = None) -> Iterator[None]:
    """Add `path` and `place` to an error that passes through and does not have them yet.

    Parsers are pure functions over a buffer: only their caller knows which file it came from.
    """
    try:
        yield
    except SafemodelError as error:
        error.path = error.path or path
        error.place = error.place or place
        raise


class UsageError(SafemodelError):
    """An argument makes no sense, alone or together with the others."""

    exit_code = 2


class SourceError(SafemodelError):
    """The source could not be read: an I/O error, no permission."""

    exit_code = 2


class MissingFileError(SourceError):
    """There is no such file or folder."""


class NotABundleError(SourceError):
    """The source was read and is no bundle, in either encoding."""


class GitLfsPointerError(NotABundleError):
    """The source is the small text file that Git LFS leaves in place of the real one."""


class ChangedFileError(SourceError):
    """The source was replaced, rewritten or cut while it was being read."""


class KeyFileError(SafemodelError):
    """A key can't be read: not a key, not a permitted kind, a wrong or missing password."""

    exit_code = 2


class FormatError(SafemodelError):
    """The bytes are not what spec/format.md permits."""


class TruncatedError(FormatError):
    """The file ends before its content does: a download that was cut short."""


class JsonError(FormatError):
    """The bytes are not canonical JSON (spec/format.md, "Canonical JSON")."""


class ContainerError(FormatError):
    """The bytes are not a canonical ZIP (spec/format.md, "Canonical ZIP")."""


class FolderError(FormatError):
    """The folder holds a link, a special file, or a file that the manifest does not declare."""


class MemberNameError(FormatError):
    """A member name is not permitted (spec/format.md, "Member names")."""


class ManifestError(FormatError):
    """The manifest is canonical JSON, but not a manifest of format 1."""


class WeightsError(FormatError):
    """A weights member is not canonical safetensors (spec/format.md, "Weights")."""


class SignatureFormatError(FormatError):
    """A signature file, its envelope or its statement is malformed (spec/signing.md)."""


class LimitError(FormatError):
    """Something is larger, deeper or more numerous than limits.py permits."""


class UnsupportedError(FormatError):
    """A format version or required feature that this reader does not know."""


class MissingMemberError(FormatError):
    """The manifest declares a member that the container does not hold."""


class VerificationError(SafemodelError):
    """The bundle is well-formed and must still not be used."""


class UnsignedError(VerificationError):
    """There is no signature at all."""


class UntrustedSignerError(VerificationError):
    """There are signatures, but none by a key that counts for this model."""


class BadSignatureError(VerificationError):
    """A signature does not verify, or is over something other than this content."""


class ExpiredError(VerificationError):
    """The signed statement was valid until a moment that has passed."""


class WrongModelError(VerificationError):
    """The model is not the one that was asked for by name, version or digest."""


class DigestMismatchError(VerificationError):
    """Bytes differ from what the manifest or the signed statement says of them.

    `region` is the member and the first and one-past-last byte in it, where they are known.
    """

    region: tuple[str, int, int] | None = None


class AdapterError(SafemodelError):
    """A live object and a bundle could not be turned into each other."""


class UnsavableError(AdapterError):
    """Part of the object can't be represented; `place` is its attribute path."""


class ArchitectureError(AdapterError):
    """The architecture describes an object that this reader must not build."""


class NotAllowedError(ArchitectureError):
    """Something that only the caller can allow; the hint says what to write (`allow=[...]`)."""


class StateMismatchError(AdapterError):
    """Missing, unexpected or mismatched entries for the object given as `into=`.

    The object is unchanged, unless its own code raised while it took over state that fits: the
    hint then says that part of it may be replaced.
    """


class MissingLibraryError(AdapterError):
    """The framework that the adapter needs is not installed."""

    exit_code = 2


class LegacyError(SafemodelError):
    """A legacy file could not be read. The scanner turns it into a 9xx finding.

    `offset` is the first byte that was not understood, in the innermost content.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        place: str | None = None,
        hint: str | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message, path=path, place=place, hint=hint)
        self.offset = offset


class DamagedError(LegacyError):
    """The bytes are not what the format permits, or end before they should."""


class BudgetError(LegacyError):
    """Reading on would pass a budget: bytes, ratio, members, depth, opcodes, seconds."""


class UnreadableError(LegacyError):
    """The format is recognised and can't be read: encrypted, rare, or a library is missing."""


class ConvertError(SafemodelError):
    """A legacy file could be read, and is not turned into a bundle."""


class FindingsError(ConvertError):
    """The scan of the file has findings: what it would do, if something loaded it."""


class UnconvertibleError(ConvertError):
    """Something in the file has no interpretation; `place` is its path in the object."""


class BlockedError(SafemodelError):
    """The guard stopped a load, before what it would have run (docs/guard.md)."""
