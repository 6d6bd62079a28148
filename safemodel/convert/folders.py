"""A folder of Hugging Face to a bundle: configuration, sharded weights and tokenizer, as data.

Only files of a closed list are read; each is scanned first, and what is scanned is what is
converted. Pickles, Python and whatever else lies there are left out, and named. Neither PyTorch nor
Transformers is imported. Implements spec/transformers.md, "Folders".
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, Final

from safemodel.adapters import notice
from safemodel.adapters.huggingface import folder as layout
from safemodel.adapters.huggingface import tokenizer
from safemodel.bundle.contents import Contents, Payload
from safemodel.convert import converting, safetensors, saved_model, tensorflow_checkpoint
from safemodel.convert.lineage import described
from safemodel.convert.sources import Source, opened
from safemodel.convert.tensorflow_prefix import prefix_in
from safemodel.errors import (
    ArchitectureError,
    MissingFileError,
    SourceError,
    UnconvertibleError,
    UnsavableError,
    UsageError,
    locating,
)
from safemodel.format import metadata as metadata_format
from safemodel.format.manifest import Adapter
from safemodel.legacy import json_text
from safemodel.report.model import FileReport, Status
from safemodel.scan import walk
from safemodel.scan.budget import Limits

WEIGHTS: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
CARD: Final = "README.md"
_MEDIA_TYPES: Final = {
    tokenizer.TOKENIZER: "application/json",
    tokenizer.CONFIG: "application/json",
    tokenizer.TEMPLATE: "text/plain",
    CARD: "text/markdown",
}
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+-]{0,40}")
_MAX_SMALL: Final = 64 << 20
_MAX_FILES: Final = 20_000
_SHOWN: Final = 6
# What tokenizers without a `tokenizer.json` are made of.
_SLOW: Final = frozenset(
    {
        "sentencepiece.bpe.model", "sentencepiece.model", "source.spm", "spiece.model", "spm.model",
        "tokenizer.model", "vocab.json", "vocab.txt",
    }
)  # fmt: skip


def run(path: str, target: str, options: converting.Options) -> converting.Conversion:
    """Convert a folder.

    Raises:
        SafemodelError: see `safemodel.convert`.
    """
    if os.path.lexists(os.path.join(path, saved_model.FILE)):
        return saved_model.run(path, target, options)
    if not os.path.lexists(os.path.join(path, layout.CONFIG)):
        prefix = prefix_in(path)
        if prefix is not None:
            return tensorflow_checkpoint.run(prefix, target, options)
    if os.path.realpath(target).startswith(os.path.join(os.path.realpath(path), "")):
        raise UsageError("would be written into the folder itself", hint="give another target")
    signers = converting.signers_of(options)
    with ExitStack() as stack, locating(path=path):
        folder = _Folder(path, options, stack)
        return folder.convert(target, signers)


class _Folder:
    """A folder under way: its files, opened and scanned as they are needed."""

    def __init__(self, path: str, options: converting.Options, stack: ExitStack) -> None:
        self._path, self._options, self._stack = path, options, stack
        self._limits: Limits = converting.limits_of(options)
        try:
            with os.scandir(path) as entries:
                self.names = sorted(entry.name for entry in entries)
        except OSError as error:
            raise SourceError(f"can't be listed: {error.strerror or error}", path=path) from None
        if len(self.names) > _MAX_FILES:
            raise UnconvertibleError(f"a folder of more than {_MAX_FILES} files")
        self.used: list[tuple[Source, FileReport]] = []

    def _open(self, name: str, most: int | None = None) -> Source:
        file = self._opened(name)
        place = file.path
        if most is not None and file.size > most:
            raise UnconvertibleError(f"has {file.size} bytes, and {most} at the most", path=place)
        with locating(path=place):
            report = converting.scanned(file, self._options, self._limits, data=most is not None)
        self.used.append((file, report))
        return file

    def _opened(self, name: str) -> Source:
        """A file of the folder, and no other: a link could name any that its reader can read."""
        place = os.path.join(self._path, name)
        if walk.leads_elsewhere(place, self._path):
            raise SourceError(
                "is a link that leads out of the folder", path=place, hint="copy what it names"
            )
        return self._stack.enter_context(opened(place))

    def _json(self, name: str) -> Any:
        file = self._open(name, _MAX_SMALL)
        with locating(path=file.path):
            text = json_text.parse(file.data)
            if text.duplicates or not isinstance(text.value, dict):
                raise UnconvertibleError("is no object, or has a key twice")
            return text.value

    def convert(self, target: str, signers: Sequence[Any]) -> converting.Conversion:
        """Read the files, and write the bundle."""
        if layout.CONFIG not in self.names:
            raise MissingFileError(
                f"has no {layout.CONFIG} (Transformers), no {saved_model.FILE} and no checkpoint "
                "(TensorFlow)",
                hint="convert files one by one",
            )
        config = self._json(layout.CONFIG)
        generation = None
        if layout.GENERATION_CONFIG in self.names:
            generation = self._json(layout.GENERATION_CONFIG)
        state, groups = self._state()
        try:
            graph = safetensors.encoded(state)
            largest = max([len(state), *(size for one in state.values() for size in one.shape)])
            model, left_out = layout.described(config, generation, largest)
        except (ArchitectureError, UnsavableError) as error:
            raise UnconvertibleError(error.message, place=error.place, hint=error.hint) from None
        members = self._members()
        self._tell(left_out, config, model)
        architecture: dict[str, Any] = {"graph": graph.graph}
        if model is not None:
            architecture["model"] = model
        adapter = "torch" if model is None else "transformers"
        metadata = metadata_format.make(self._options.metadata or {})
        contents = Contents(
            framework=adapter,
            adapter=Adapter(adapter, converting.VERSIONS[adapter]),
            libraries=_libraries(config),
            architecture=architecture,
            metadata=partial(described, metadata, self.used),
            tensors=converting.watching(graph.tensors, groups),
            members=members,
        )
        for file, _ in self.used:
            file.check_unchanged()
        written = converting.written(target, contents, self._options, signers)
        size = sum(tensor.spec.nbytes for tensor in graph.tensors)
        first = replace(self.used[0][1], formats=("huggingface",))
        libraries = contents.libraries
        return converting.Conversion(written, first, adapter, libraries, len(state), size)

    def _state(self) -> tuple[dict[str, safetensors.FileTensor], list[Source]]:
        if INDEX in self.names:
            names = safetensors.shards(self._json(INDEX), self.names)
        elif WEIGHTS in self.names:
            names = (WEIGHTS,)
        else:
            pickles = [name for name in self.names if name.endswith((".bin", ".pt", ".pth"))]
            raise UnconvertibleError(
                f"has no {WEIGHTS}, nor an index of shards",
                hint=f"convert {pickles[0]}, a pickle, by itself" if pickles else None,
            )
        state: dict[str, safetensors.FileTensor] = {}
        files = []
        for name in names:
            file = self._open(name)
            files.append(file)
            with locating(path=file.path):
                found = safetensors.read(file.data)
                twice = sorted(found.keys() & state.keys())
                if twice:
                    raise UnconvertibleError(f"the tensor {twice[0]:.200} is in another shard, too")
                state.update(found)
        return state, files

    def _members(self) -> dict[str, Payload]:
        members = {}
        for name, media_type in _MEDIA_TYPES.items():
            if name not in self.names:
                continue
            file = self._open(name, _MAX_SMALL) if name != CARD else self._card()
            with locating(path=file.path):
                try:
                    tokenizer.check_member(name, file.size)
                    data = bytes(file.data)
                    if name == tokenizer.TOKENIZER:
                        tokenizer.check_tokenizer(data)
                    if name == tokenizer.CONFIG:
                        tokenizer.parse_settings(data)
                except ArchitectureError as error:
                    raise UnconvertibleError(error.message) from None
            members[name] = Payload(data, media_type)
        return members

    def _card(self) -> Source:
        """The model card: text, which no scan knows a format of."""
        file = self._opened(CARD)
        report = FileReport(file.path, Status.SKIPPED, size=file.size)
        self.used.append((file, report))
        return file

    def _tell(self, fields: Sequence[str], config: Any, model: object) -> None:
        used = {os.path.basename(file.path) for file, _ in self.used}
        files = [name for name in self.names if name not in used and not name.startswith(".")]
        for what, names in (("files", files), ("fields of the configuration", fields)):
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                notice(f"left out {what}: {', '.join(names[:_SHOWN])!s:.300}{more}")
        slow = [name for name in files if name in _SLOW or name.endswith(".spm")]
        if slow and tokenizer.TOKENIZER not in self.names:
            notice(
                f"there is no {tokenizer.TOKENIZER}, so the tokenizer was left out: {slow[0]:.100} "
                "is none by itself. Save it with a fast tokenizer's save_pretrained, and convert "
                "again; or keep its files beside the archive"
            )
        if model is None:
            named = config.get("architectures")
            notice(f"no table has the class {named!s:.100}: the state alone was converted")


def _libraries(config: Any) -> dict[str, str]:
    version = config.get("transformers_version")
    plain = isinstance(version, str) and _VERSION.fullmatch(version)
    return {"transformers": version} if plain else {}
