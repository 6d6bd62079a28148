"""A model of Transformers to a folder as Hugging Face lays it out, without Transformers.

`config.json` and `generation_config.json` from the checked configuration, `model.safetensors`, and
the files of the tokenizer as they are in the bundle: for `from_pretrained` of any program.
Implements spec/transformers.md, "Folders".
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import TYPE_CHECKING, Any, Final

from safemodel.adapters.huggingface import folder as layout
from safemodel.adapters.huggingface import tokenizer
from safemodel.bundle.output import failing
from safemodel.errors import ArchitectureError, SourceError, UnsavableError
from safemodel.export import safetensors_file
from safemodel.export.targets import Written

if TYPE_CHECKING:
    from safemodel.bundle.verified import VerifiedBundle

WEIGHTS: Final = "model.safetensors"
CARD: Final = "README.md"
_COPIED: Final = (tokenizer.TOKENIZER, tokenizer.CONFIG, tokenizer.TEMPLATE, CARD)
_ADAPTER: Final = "transformers"


def write(bundle: VerifiedBundle, target: str, *, overwrite: bool) -> Written:
    """Write the folder. It appears wholly or not at all, and never over another.

    Raises:
        UnsavableError: the bundle holds no model of Transformers.
        SourceError: the disk refuses, or there is something at `target` already.
    """
    found = _files(bundle)
    with failing(target):
        if os.path.lexists(target):
            raise SourceError("is there already", path=target, hint="name a folder that is not")
        parent = os.path.dirname(os.path.abspath(target))
        partial = tempfile.mkdtemp(prefix=".safemodel-", dir=parent)
    try:
        written = safetensors_file.write(bundle, os.path.join(partial, WEIGHTS), overwrite=False)
        with failing(target):
            for name, data in found.items():
                with open(os.path.join(partial, name), "xb") as file:
                    file.write(data)
            os.chmod(partial, 0o755)  # noqa: S103  # as mkdir would make it
            os.rename(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Written(written.tensors, written.size + sum(map(len, found.values())))


def _files(bundle: VerifiedBundle) -> dict[str, bytes]:
    recorded = bundle.manifest.adapter
    architecture = bundle.manifest.architecture
    model: Any = architecture.get("model") if isinstance(architecture, dict) else None
    if recorded is None or recorded.name != _ADAPTER or model is None:
        raise UnsavableError(
            "this bundle holds no model of Transformers with its configuration",
            hint='to="safetensors" writes its tensors',
        )
    if not isinstance(model, dict):
        raise ArchitectureError("a model has a class and a configuration")
    tensors = bundle.tensors.values()
    largest = max([len(tensors), *(size for info in tensors for size in info.shape)])
    config, generation = layout.files(model, largest)
    found = {layout.CONFIG: _json(config)}
    if generation is not None:
        found[layout.GENERATION_CONFIG] = _json(generation)
    for name in _COPIED:
        if name in bundle.manifest.files:
            tokenizer.check_member(name, bundle.manifest.files[name].size)
            found[name] = bundle.member(name)
    if tokenizer.TOKENIZER in found:
        tokenizer.check_tokenizer(found[tokenizer.TOKENIZER])
    if tokenizer.CONFIG in found:
        tokenizer.parse_settings(found[tokenizer.CONFIG])
        found[tokenizer.CONFIG] = tokenizer.harmless(found[tokenizer.CONFIG])
    return found


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
