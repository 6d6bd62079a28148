"""The tokenizer of a model: `load_tokenizer`.

Its files are members of the archive, verified as every byte is. The library that reads them is
imported when it is asked for. Implements spec/transformers.md, "Tokenizer".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safemodel import adapters
from safemodel.errors import locating

if TYPE_CHECKING:
    from safemodel.bundle.opening import Source
    from safemodel.trust.policy import TrustLike


def load_tokenizer(
    source: Source,
    *,
    trust: TrustLike = None,
    name: str | None = None,
    version: str | None = None,
    digest: str | None = None,
) -> Any:
    """Verify a bundle and give back the tokenizer that was saved with its model.

    It is a `PreTrainedTokenizerFast` of Transformers, made from verified bytes without a file. Its
    chat template is code that Transformers renders in a sandbox, when `apply_chat_template` is
    called.

    Args:
        source: path of an archive or of a folder, or the bytes of an archive.
        trust, name, version, digest: who may have signed it and which model it must be, as for
            `load`.

    Raises:
        ArchitectureError: there is no tokenizer, or its files are not what they must be.
        MissingLibraryError: Transformers is not installed.
        SourceError, FormatError, VerificationError, KeyFileError: as for `load`.
    """
    from safemodel.bundle import open_bundle

    with open_bundle(source, trust=trust, name=name, version=version, digest=digest) as bundle:
        adapters.import_adapter("transformers")
        from safemodel.adapters.transformers import tokenizers

        with locating(path=bundle.path):
            return tokenizers.load(bundle)
