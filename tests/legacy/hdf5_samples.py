"""HDF5 files of every kind that h5py writes, small, for tests; and h5py's own account of them."""

from __future__ import annotations

import io
from typing import Any

import pytest

h5py = pytest.importorskip("h5py")
np = pytest.importorskip("numpy")

VERSIONS = ("earliest", "v108", "v110", "latest")


def sample(
    version: str = "earliest",
    *,
    groups: int = 3,
    attributes: int = 3,
    ordered: bool = False,
    user_block: int = 0,
    config: str = '{"class_name": "Sequential"}',
    hostile: bool = True,
) -> bytes:
    """A file with groups, datasets, texts; and, if hostile, with all that leads elsewhere."""
    out = io.BytesIO()
    block = {"userblock_size": user_block} if user_block else {}
    with h5py.File(out, "w", libver=version, track_order=ordered, **block) as file:
        file.attrs["model_config"] = config
        file.attrs["bytes"] = b"some bytes"
        file.attrs["fixed"] = np.bytes_(b"fixed\0")
        file.attrs["number"] = 3
        file.attrs["several"] = ["x", "yy"]
        for index in range(groups):
            group = file.create_group(f"group{index:05}")
            group.attrs["weight_names"] = [b"a", b"b"]
            group.create_dataset("sub/kernel:0", data=np.zeros((3, 4), "f4"))
            packed = group.create_dataset(
                "packed", data=np.zeros((30, 4)), chunks=(3, 4), compression="gzip"
            )
            for number in range(attributes):
                packed.attrs[f"attribute{number}"] = "v" * number
        file["type"] = np.dtype("f8")
        file["of_type"] = np.zeros(3, [("a", "i4"), ("b", "S3")])
        file["nothing"] = h5py.Empty("f4")
        file["scalar"] = 1.5
        if hostile:
            _lead_elsewhere(file)
    return out.getvalue()


def _lead_elsewhere(file: Any) -> None:
    file["soft"] = h5py.SoftLink("/group00000/packed")
    file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/x")
    file.create_dataset("raw", (10,), "u1", external=[("/etc/passwd", 0, 5), ("/etc/group", 0, 5)])
    layout = h5py.VirtualLayout((10,), "u1")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (10,))
    file.create_virtual_dataset("virtual", layout)


class Account:
    """What h5py says."""

    def __init__(self, data: bytes) -> None:
        self.texts: dict[tuple[str, str], bytes | None] = {}
        self.datasets: set[tuple[str, tuple[int, ...] | None]] = set()
        self.links: set[tuple[str, str]] = set()
        with h5py.File(io.BytesIO(data), "r") as file:
            self._walk(file, "/")

    def _walk(self, item: Any, path: str) -> None:
        for name, value in item.attrs.items():
            text = value.encode() if isinstance(value, str) else value
            self.texts[path, name] = bytes(text) if isinstance(text, bytes) else None
        if isinstance(item, h5py.Dataset):
            self.datasets.add((path, item.shape))
        if not isinstance(item, h5py.Group):
            return
        for name in item:
            link = item.get(name, getlink=True)
            inner = f"{path.rstrip('/')}/{name}"
            if isinstance(link, h5py.HardLink):
                self._walk(item[name], inner)
            else:
                kind = {"SoftLink": "soft", "ExternalLink": "external"}[type(link).__name__]
                self.links.add((inner, kind))
