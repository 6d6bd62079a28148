"""Archives: our own, and containers of models in one another."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import safemodel as sm

from .corpus import Corpus, Group


def own(corpus: Corpus) -> None:
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    rng = np.random.RandomState(0)
    x, y = rng.rand(40, 3), np.arange(40) % 2
    things: dict[str, Any] = {
        "arrays": {
            "w": rng.rand(5, 4),
            "b": np.zeros(3, "f4"),
            "meta": ["a", 1, None, {"x": (1, 2)}],
        },
        "linear": LogisticRegression().fit(x, y),
        "forest": RandomForestClassifier(5, random_state=0).fit(x, y),
        "objects": {"o": np.array(["a", None, 1], dtype=object), "d": np.array(["2026"], "M8[D]")},
    }
    metadata = {"name": "acme/fraud", "version": "3.1", "description": "a model"}
    signer = sm.Signer.generate()
    for name, thing in things.items():
        corpus.add(
            f"{name}.safemodel",
            lambda p, t=thing: sm.save(t, p, metadata=metadata, signer=None),
            "safemodel_archive",
        )
        corpus.add(
            f"{name}-signed.safemodel",
            lambda p, t=thing: sm.save(t, p, signer=signer),
            "safemodel_archive",
        )
    for name in ("arrays", "forest"):
        source = corpus.folder / f"{name}-signed.safemodel"
        corpus.add(f"{name}-folder", lambda p, s=source: _unpack(s, p), "safetensors")


def _unpack(source: Path, folder: str) -> None:
    with zipfile.ZipFile(source) as archive:
        for name in archive.namelist():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(name))


def _members() -> dict[str, bytes]:
    """Small models as members of containers."""
    import numpy as np
    from safetensors.numpy import save
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(np.eye(4), [0, 1, 0, 1])
    array = io.BytesIO()
    np.save(array, np.eye(3))
    return {
        "model/model.pkl": pickle.dumps(model),
        "model/config.json": b'{"threshold": 0.5}',
        "model/weights.npy": array.getvalue(),
        "model/weights.safetensors": save({"w": np.eye(3)}),
        "README.md": b"# A model\n",
    }


def _zip(members: dict[str, bytes], method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.mkdir("model")
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _tar(members: dict[str, bytes], form: int, mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("model")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def containers(corpus: Corpus) -> None:
    import lz4.frame
    import zstandard

    members = _members()
    for name, method in (
        ("stored", zipfile.ZIP_STORED),
        ("deflated", zipfile.ZIP_DEFLATED),
        ("bzip2", zipfile.ZIP_BZIP2),
        ("lzma", zipfile.ZIP_LZMA),
    ):
        corpus.add(f"{name}.zip", _zip(members, method), "pickle")
    tar = _tar(members, tarfile.PAX_FORMAT)
    corpus.add("pax.tar", tar, "pickle")
    corpus.add("gnu.tar", _tar(members, tarfile.GNU_FORMAT), "pickle")
    corpus.add("ustar.tar", _tar(members, tarfile.USTAR_FORMAT), "pickle")
    long = {f"{'long/' * 30}model.pkl": members["model/model.pkl"], **members}
    corpus.add("long-gnu.tar", _tar(long, tarfile.GNU_FORMAT), "pickle")
    corpus.add("long-pax.tar", _tar(long, tarfile.PAX_FORMAT), "pickle")
    for mode in ("gz", "bz2", "xz"):
        corpus.add(f"model.tar.{mode}", _tar(members, tarfile.GNU_FORMAT, f"w:{mode}"), "pickle")
    zstd = zstandard.ZstdCompressor()
    corpus.add("model.tar.zst", zstd.compress(tar), "pickle")
    corpus.add("model.tar.lz4", lz4.frame.compress(tar), "pickle")
    content = members["model/model.pkl"]
    for ending, compress in (
        ("gz", gzip.compress),
        ("bz2", bz2.compress),
        ("xz", lzma.compress),
        ("zz", zlib.compress),
        ("zst", zstd.compress),
        ("lz4", lz4.frame.compress),
    ):
        corpus.add(f"model.pkl.{ending}", compress(content), "pickle")
    corpus.add(
        "members.pkl.gz", gzip.compress(content[:50]) + gzip.compress(content[50:]), "pickle"
    )
    inner = {"inner.zip": _zip(members, zipfile.ZIP_DEFLATED), "inner.tar.gz": gzip.compress(tar)}
    corpus.add("nested.zip", _zip(inner, zipfile.ZIP_DEFLATED), "pickle")
    corpus.add("nested.tar.gz", gzip.compress(_tar(inner, tarfile.GNU_FORMAT)), "pickle")
    texts = {
        "0.csv": b"a,b\n1,2\n",
        "README.md": b"# A model\n\nPlease cite us.\n(See the paper.)\n",
        "train.py": b"import os\n\n\ndef main():\n    print(os.getcwd())\n",
        "old.pkl": pickle.dumps({"a": [1, 2.5, "x"]}, 0),
    }
    corpus.add("texts.zip", _zip(texts, zipfile.ZIP_STORED), "pickle")
    corpus.add("texts.tar", _tar(texts, tarfile.USTAR_FORMAT), "pickle")
    corpus.add("empty.zip", _zip({}, zipfile.ZIP_STORED), "")
    torch_serve(corpus)


def torch_serve(corpus: Corpus) -> None:
    """A .mar archive without a handler of its own: TorchServe's own handler is named."""
    import json

    import torch

    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 1)), buffer)
    manifest = {
        "createdOn": "01/01/2026 00:00:00",
        "runtime": "python",
        "model": {
            "modelName": "linear",
            "serializedFile": "linear.pt",
            "handler": "image_classifier",
            "modelVersion": "1.0",
        },
        "archiverVersion": "0.12.0",
    }
    members = {
        "MAR-INF/MANIFEST.json": json.dumps(manifest).encode(),
        "linear.pt": buffer.getvalue(),
    }
    corpus.add("linear.mar", _zip(members, zipfile.ZIP_DEFLATED), "torch_script")


def strange_files(corpus: Corpus) -> None:
    """Files that are no models, next to which models lie."""
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"
    files = {
        "data.csv": b"a,b\n1,2\n3,4\n",
        "notes.txt": b"(lp0\nis how a list begins in an old pickle, and this is a text.\n",
        "cos.txt": b"cos and sin are functions\n",
        "import.txt": b"import os\nsystem call\n",
        "letters.txt": b"I like it. (Very much.)\n",
        "code.py": b"print('hello')\n",
        "data.json": b'{"a": [1, 2, 3]}',
        "page.html": b"<!doctype html><title>x</title>",
        "picture.png": png + bytes(20),
        "empty": b"",
        "zeros.bin": bytes(1000),
        "floats.bin": b"\0\0\x80?" * 500,
        "random.bin": bytes((i * 97 + i // 7 * 31) % 256 for i in range(5000)),
        "model.yaml": b"layers:\n  - dense\n",
        "vocab.txt": b"[PAD]\n[UNK]\n.\n(\n)\ncos\n",
        "labels.txt": b"cat\ndog\n",
        "spiece.vocab": "▁the\t-3.1\n".encode(),
    }
    for name, content in files.items():
        corpus.add(name, content, "")


GROUPS = {
    "own": Group(own, ("sklearn",), 10),
    "containers": Group(containers, ("lz4", "zstandard", "torch", "safetensors", "sklearn"), 27),
    "other files": Group(strange_files, (), 17),
}
