"""The `.keras` archive: configuration, metadata, weights, assets (keras.src.saving.saving_lib)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safemodel.errors import DamagedError, LegacyError
from safemodel.legacy import json_text
from safemodel.legacy.keras_config import looks_like_keras
from safemodel.scan.evidence import bounded
from safemodel.scan.keras_rules import judge_config

if TYPE_CHECKING:
    from safemodel.scan.formats.zip_archive import ZipArchive
    from safemodel.scan.scope import Scope

CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"
WEIGHTS: Final = ("model.weights.h5", "model.weights.npz")


def scan_zip(archive: ZipArchive, scope: Scope) -> frozenset[str] | None:
    """Judge the configuration; weights and assets are left to what their bytes suggest."""
    member = archive.members.get(CONFIG)
    if member is None:
        return None
    weights = [name for name in WEIGHTS if name in archive.members]
    try:
        text = json_text.parse(archive.read(member))
    except LegacyError as error:
        if not weights:
            return None
        error.place = CONFIG
        scope.unread(error)
        return frozenset()
    if not weights and not looks_like_keras(text.value):
        return None
    judge_config(text, scope.enter(CONFIG))
    dealt = {CONFIG}
    if METADATA in archive.members and _metadata(archive, scope):
        dealt.add(METADATA)
    _members(archive, weights, scope)
    return frozenset(dealt)


def _metadata(archive: ZipArchive, scope: Scope) -> bool:
    """Keras reads it to show a version; nothing is looked up. Whether it is JSON at all."""
    try:
        found = json_text.parse(archive.read(archive.members[METADATA], 1 << 20))
        if not isinstance(found.value, dict):
            raise DamagedError("no JSON object")
    except LegacyError as error:
        error.place = METADATA
        scope.find("SM210", f"{METADATA} is not what Keras writes: {error.message}")
        return False
    return True


def _members(archive: ZipArchive, weights: list[str], scope: Scope) -> None:
    expected = {CONFIG, METADATA, *WEIGHTS}
    for name in list(archive.members)[:1000]:
        if name not in expected and not name.startswith("assets/"):
            scope.find("SM210", f"the member {bounded(name)} is none that Keras writes")
    for name in (METADATA, *(() if weights else WEIGHTS[:1])):
        if name not in archive.members:
            scope.find("SM210", f"the member {name} is missing")
