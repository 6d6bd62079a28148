"""Files of Keras to what the Keras adapter loads: `.keras`, `.weights.h5`, `.h5` full and weights.

The configuration goes through the closed table of the adapter, here and again at load. Variables
keep the places that they have in the file, since only the classes of the model know what they are.
No Keras, no HDF5 library, no TensorFlow. Implements spec/keras.md, "Layouts of files".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from safemodel.adapters.keras import checking, laid_out
from safemodel.adapters.keras.laid_out import Foreign
from safemodel.adapters.protocol import Saved
from safemodel.convert import keras_config, keras_h5
from safemodel.convert.archives import Archive
from safemodel.errors import DamagedError, UnconvertibleError, locating
from safemodel.legacy import json_text
from safemodel.legacy.hdf5_values import Values
from safemodel.scan.budget import Budget, Limits

NAME: Final = "keras"
FRAMEWORK: Final = "keras"
_CONFIG: Final = "config.json"
_METADATA: Final = "metadata.json"
_WEIGHTS: Final = "model.weights.h5"
_ASSETS: Final = "assets/"
_VOCABULARY: Final = "vocabulary.txt"
_VALUES: Final = re.compile(r"/(?:(?P<path>.+)/)?vars/(?P<key>[^/]+)")
_RELEASE: Final = re.compile(r"[0-9]+(?:\.[0-9A-Za-z]+){0,5}")
_METRIC: Final = re.compile(r"(?:[^/]+/)*?metrics(?:/[a-z0-9_]+){1}\Z")  # of Keras 2
_MAX_VOCABULARY: Final = 256 << 20


def read_keras(data: memoryview, limits: Limits, allow: Sequence[str]) -> Saved:
    """A `.keras` file.

    Raises:
        UnconvertibleError, NotAllowedError, ArchitectureError: part of it must not be built.
        LegacyError: it is damaged.
    """
    archive = Archive(data, limits)
    if _WEIGHTS not in archive.members:
        raise UnconvertibleError(
            f"has no {_WEIGHTS}",
            hint="load it where you trust it, and save the model with safemodel.save",
        )
    release = _release(archive)
    notices: list[str] = []
    config = keras_config.modern(_json(archive, _CONFIG), release, notices)
    checking.check(config, allow)
    vocabularies: dict[str, list[str]] = {}
    for name in archive.members:
        if name.startswith(_ASSETS):
            path = name.removeprefix(_ASSETS).rpartition("/")[0]
            vocabularies[path] = _vocabulary(archive, name)
        elif name not in (_CONFIG, _METADATA, _WEIGHTS) and not name.endswith("/"):
            raise UnconvertibleError("a member that Keras does not write", place=name)
    with locating(place=_WEIGHTS):
        values = _values(archive.content(_WEIGHTS), limits)
        groups = _groups(values)
        if release.partition(".")[0] == "2":
            groups = _of_keras_2(groups, config, notices)
        section = laid_out.section(laid_out.KERAS_3, groups, None, vocabularies)
    root = {"class": keras_config.class_of(config), "backend": "", "model": config}
    return _saved(root | {"laid_out": section}, release, notices)


def _release(archive: Archive) -> str:
    """The release of Keras that wrote an archive, as it says itself; empty if it does not."""
    found = _json(archive, _METADATA) if _METADATA in archive.members else None
    release = found.get("keras_version") if isinstance(found, dict) else None
    return release if isinstance(release, str) and _RELEASE.fullmatch(release) else ""


def read_hdf5(data: memoryview, limits: Limits, allow: Sequence[str]) -> Saved:
    """A `.weights.h5`; or an `.h5` with a model, or with weights alone.

    Raises:
        UnconvertibleError, NotAllowedError, ArchitectureError: part of it must not be built.
        LegacyError: it is damaged.
    """
    values = _values(data, limits)
    layout = keras_h5.layout_of(values)
    if layout is None:
        section = laid_out.section(laid_out.KERAS_3, _groups(values))
        return _saved({"class": "model", "backend": "", "laid_out": section}, "")
    root: dict[str, Any] = {"class": "model", "backend": layout.backend}
    found = keras_h5.config_of(values, layout, allow)
    if found is not None:
        config = keras_config.tidied(found.config)
        checking.check(config, allow)
        root |= {"class": keras_config.class_of(config), "model": config}
    notices = [] if found is None else list(found.notices)
    root["laid_out"] = layout.section(values, root.get("model"), notices)
    return _saved(root, layout.release, notices)


def _saved(root: dict[str, Any], release: str, notices: Sequence[str] = ()) -> Saved:
    versions = {"keras": release} if _RELEASE.fullmatch(release) else {}
    graph = laid_out.graph_of(root)
    return Saved(
        {"graph": graph.graph},
        graph.tensors,
        versions,
        framework=FRAMEWORK,
        notices=tuple(notices),
    )


def _values(data: memoryview, limits: Limits) -> Values:
    return Values(data, Budget(limits, len(data)).inflate)


def _json(archive: Archive, name: str) -> Any:
    with locating(place=name):
        text = json_text.parse(archive.content(name))
        if text.duplicates:
            raise DamagedError(f"says {text.duplicates[0].key!r:.60} twice")
        return text.value


def _groups(values: Values) -> Mapping[str, list[Foreign]]:
    """The variables of a file of Keras 3, by the group that they are in."""
    groups: dict[str, list[Foreign]] = {}
    for path in values.paths:
        match = _VALUES.fullmatch(path)
        if match is None:
            raise UnconvertibleError("a dataset where Keras writes none", place=path)
        groups.setdefault(match["path"] or "", []).append(keras_h5.foreign(values, path))
    return groups


def _of_keras_2(
    groups: Mapping[str, list[Foreign]], config: Any, notices: list[str]
) -> dict[str, list[Foreign]]:
    """The same with the variables of the optimizer in the order of Keras 3, or without them.

    Keras 2 writes them without names, in another order; and before training only the steps. Totals
    of metrics, which it writes too, are not kept.
    """
    result = {
        path: group
        for path, group in groups.items()
        if not laid_out.is_optimizer(path) and not _METRIC.match(path)
    }
    compiled = config.get("compile_config") if isinstance(config, dict) else None
    group = {one.path.rpartition("/")[2]: one for one in groups.get(laid_out.OPTIMIZER, ())}
    if isinstance(compiled, dict) and not group:
        notices.append("the optimizer begins anew: the file has nothing of it")
    if not isinstance(compiled, dict) or len(group) < 2:
        return result
    from safemodel.convert import keras_2_training

    optimizer = compiled.get("optimizer")
    listed = [group[str(index)] for index in range(len(group)) if str(index) in group]
    names = None
    if len(listed) == len(group):
        names = keras_2_training.counted_names(optimizer, [one.shape for one in listed])
    order = None
    if names is not None:
        found = dict(zip(names, listed, strict=True))
        order = keras_2_training.optimizer_order(
            optimizer,
            names,
            lambda name: found[name].shape,
            lambda name: keras_h5.integer(found[name]),
        )
    if names is None or order is None:
        notices.append(keras_h5.ANEW)
        return result
    made = keras_2_training.Made
    result[laid_out.OPTIMIZER] = [
        replace(
            keras_h5.made(one) if isinstance(one, made) else found[one],
            path=f"{laid_out.OPTIMIZER}/vars/{index}",
        )
        for index, one in enumerate(order)
    ]
    return result


def _vocabulary(archive: Archive, name: str) -> list[str]:
    """The tokens of a lookup, as its layer reads them."""
    with locating(place=name):
        if name.rpartition("/")[2] != _VOCABULARY:
            raise UnconvertibleError("a file of a layer of somebody's own, which that would read")
        content = archive.content(name)
        if len(content) > _MAX_VOCABULARY:
            raise UnconvertibleError(f"a vocabulary of {len(content)} bytes")
        try:
            text = bytes(content).decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamagedError("a vocabulary that is not UTF-8", offset=error.start) from None
        tokens = text.replace("\r\n", "\n").replace("\r", "\n").splitlines()
        while tokens and not tokens[-1]:
            tokens.pop()
        return tokens
