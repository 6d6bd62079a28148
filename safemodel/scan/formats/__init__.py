"""One handler for each format: facts to findings. `HANDLERS` says which module has which.

A handler is a module with

    def scan(content: Content, scope: Scope) -> bool

which returns whether the content is of that format; if not, it reports nothing. It raises only
`LegacyError`, and what it found before stays reported. It accounts for every byte of the content:
what no loader of that format reads is a finding.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from safemodel.legacy.content import Content
    from safemodel.scan.scope import Scope

# format -> module of this package, or an object in one; imported when the format is met
HANDLERS: Final[dict[str, str]] = {
    "bzip2": "compressed.bzip2",
    "gguf": "gguf",
    "graph_def": "graph_def",
    "graph_text": "graph_text",
    "guessed": "recognised.guessed",
    "gzip": "compressed.gzip",
    "hdf5": "hdf5",
    "jinja": "text.jinja",
    "json": "json_config",
    "lz4": "compressed.lz4",
    "lz4-legacy": "compressed.lz4_legacy",
    "lzma": "compressed.lzma",
    "npy": "npy",
    "onnx": "onnx",
    "pickle": "pickle",
    "recognised": "recognised.recognised",
    "safetensors": "safetensors",
    "saved_model": "saved_model",
    "tar": "tar",
    "torch": "torch",
    "torch_legacy": "torch_legacy",
    "xz": "compressed.xz",
    "yaml": "text.yaml",
    "zfile": "joblib_zfile",
    "zip": "zip",
    "zlib": "compressed.zlib",
    "zstd": "compressed.zstd",
}


class Handler(Protocol):
    """What a handler's module has. (Modules are checked against it by the tests.)"""

    def scan(self, content: Content, scope: Scope) -> bool: ...


def handler(name: str) -> Handler:
    """What handles a format of the table."""
    module, _, attribute = HANDLERS[name].partition(".")
    found = importlib.import_module(f"{__name__}.{module}")
    return cast(Handler, getattr(found, attribute) if attribute else found)
