"""XGBoost models as documents: bytes to a closed table with a few arrays, and back again.

`parse_model` takes what XGBoost pickles (a snapshot: model and configuration) and its model files
(`.ubj`, `.json`), and imports nothing. `emit` writes the one document that XGBoost itself would
write for the same content, so that its reader never sees a byte that a stranger chose. What the
table holds is checked in `xgboost_check.py`. Implements spec/sklearn.md, "Boosted trees".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from safemodel.adapters.sklearn import xgboost_trees as trees
from safemodel.adapters.sklearn.scope import SpecError
from safemodel.errors import LegacyError
from safemodel.legacy import ubjson
from safemodel.legacy.ubjson import Typed

Table = dict[str, Any]

# The fields of a learner that are kept as they are
_PLAIN: Final = ("attributes", "feature_names", "feature_types", "learner_model_param", "objective")
_OPTIONAL: Final = {"feature_names", "feature_types"}
_POSITIONS: Final = ("ti+", "tj-")  # of ranking objectives that learn the bias of positions
_OLD: Final = (
    "is in a binary format of old releases: load it with the XGBoost that saved it,"
    " save_model('model.ubj') there, and load that file"
)


def parse_model(data: bytes | bytearray | memoryview) -> dict[str, Any]:
    """Return the table and the arrays of a model: the arguments of `emit`.

    Raises:
        SpecError: not a model, or one with content that safemodel does not know.
    """
    document = _document(memoryview(data).cast("B"))
    if document.keys() == {"Config", "Model"}:
        return _taken_apart(document["Model"], document["Config"])
    return _taken_apart(document, None)


def _document(data: memoryview) -> Table:
    head = bytes(data[:16])
    if head.startswith((b"CONFIG-offset:", b"binf", b"bs64")) or not head.startswith(b"{"):
        raise SpecError(_OLD)
    try:
        if head[1:2].isalpha() or head[1:2] == b"}":
            document = ubjson.parse(data)
        else:
            document = json.loads(bytes(data), object_pairs_hook=_distinct)
    except LegacyError as error:
        raise SpecError(f"is no model of XGBoost: {error.message}") from None
    except (ValueError, RecursionError) as error:
        raise SpecError(f"is no model of XGBoost: {str(error)[:100]}") from None
    return _object(document, "")


def _distinct(pairs: list[tuple[str, Any]]) -> Table:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _object(value: Any, place: str, *keys: str) -> Table:
    """Return a value that must be an object, with exactly the given keys if there are any."""
    if type(value) is not dict:
        raise SpecError("is no object", place)
    if keys and value.keys() != set(keys):
        unknown = sorted(value.keys() ^ set(keys))
        raise SpecError(f"has other fields than it must have: {unknown[0]!r:.60}", place)
    return value


def _taken_apart(model: Any, config: Any) -> dict[str, Any]:
    _object(model, ".Model", "learner", "version")
    given = _object(model["learner"], ".learner")
    learner = _object(given, ".learner", *_PLAIN, "gradient_booster", *(given.keys() & _OPTIONAL))
    arrays: trees.Arrays = {}
    table: Table = {name: learner[name] for name in _PLAIN if name in learner}
    table["objective"], positions = _objective(learner["objective"])
    arrays.update(positions)
    made: dict[str, Any] = {"version": model["version"], "table": table, "arrays": arrays}
    made["categories"] = _booster(learner["gradient_booster"], table, arrays)
    made["config"] = None if config is None else _config(config, model)
    return made


def _objective(objective: Any) -> tuple[Table, trees.Arrays]:
    plain = dict(_object(objective, ".objective"))
    arrays: trees.Arrays = {
        name: _array(plain.pop(name), "d", name) for name in _POSITIONS if name in plain
    }
    return plain, arrays


def _array(value: Any, marker: str, name: str) -> np.ndarray[Any, Any]:
    if type(value) is not Typed or value.marker != marker:
        value = trees.from_json(value, name, marker)
    return trees.native(value)


def _booster(booster: Any, table: Table, arrays: trees.Arrays) -> list[Table] | None:
    """Take a booster apart; return the categories of data frames that it was trained on."""
    name = _object(booster, ".gradient_booster").get("name")
    table["booster"] = name
    if name == "gblinear":
        _object(booster, ".gradient_booster", "model", "name")
        model = _object(booster["model"], ".model")
        _object(model, ".model", "weights", *(model.keys() & {"boosted_rounds"}))
        arrays["weights"] = _array(model["weights"], "d", "weights")
        if "boosted_rounds" in model:
            table["boosted_rounds"] = model["boosted_rounds"]
        return None
    if name == "dart":
        _object(booster, ".gradient_booster", "gbtree", "name", "weight_drop")
        arrays["weight_drop"] = _array(booster["weight_drop"], "d", "weight_drop")
        booster = booster["gbtree"]
    elif name != "gbtree":
        raise SpecError(f"is {name!r:.60}, and no booster that safemodel knows", ".name")
    _object(booster, ".gbtree", "model", "name")
    if booster["name"] != "gbtree":
        raise SpecError("is not gbtree", ".name")
    return _forest(booster["model"], table, arrays)


def _forest(model: Any, table: Table, arrays: trees.Arrays) -> list[Table] | None:
    given = _object(model, ".model")
    keys = given.keys() & {"iteration_indptr", "cats"}
    _object(given, ".model", "gbtree_model_param", "tree_info", "trees", *keys)
    params = dict(_object(given["gbtree_model_param"], ".gbtree_model_param"))
    features = _object(table["learner_model_param"], ".learner_model_param").get("num_feature")
    found = trees.number(features, "num_feature")
    packed, table["leaf_size"] = trees.split(given["trees"], found)
    count = len(packed["nodes"]) if packed else 0
    trees.number(params.pop("num_trees", None), "num_trees", count, count)
    table["gbtree_model_param"] = params
    arrays.update(packed)
    for name in ("tree_info", "iteration_indptr"):
        if name in given:
            arrays[name] = _array(given[name], "l", name)
    return _categories(given["cats"], arrays) if "cats" in given else None


def _categories(cats: Any, arrays: trees.Arrays) -> list[Table]:
    """Return the categories of each feature of a data frame."""
    _object(cats, ".cats", "enc", "feature_segments", "sorted_idx")
    for name in ("feature_segments", "sorted_idx"):
        arrays[name] = _array(cats[name], "l", name)
    if type(cats["enc"]) is not list:
        raise SpecError("is no list", ".cats.enc")
    columns = []
    for one in cats["enc"]:
        column = dict(_object(one, ".cats.enc"))
        if "offsets" in column:
            _object(column, ".cats.enc", "offsets", "values")
            column["offsets"] = _array(column["offsets"], "l", "offsets")
            column["values"] = _array(column["values"], "i", "values")
        else:
            _object(column, ".cats.enc", "type", "values")
            marker = CATEGORY_MARKERS.get(column["type"])
            if type(column["type"]) is not int or marker is None:
                raise SpecError("is no type of categories", ".cats.enc.type")
            column["values"] = _array(column["values"], marker, "values")
        columns.append(column)
    return columns


# `ValueKind` of XGBoost's JSON to markers. Arrays of unsigned numbers but bytes have no marker: a
# model with such categories can't be written by XGBoost itself.
CATEGORY_MARKERS: Final = {9: "i", 10: "U", 11: "I", 13: "l", 15: "L"}


def _config(config: Any, model: Any) -> Table:
    """Return the configuration without what it repeats of the model."""
    _object(config, ".Config", "learner", "version")
    keys = ("generic_param", "gradient_booster", "learner_train_param", "metrics")
    repeated = ("learner_model_param", "objective")
    learner = _object(config["learner"], ".Config.learner", *keys, *repeated)
    if config["version"] != model["version"]:
        raise SpecError("differs from the model's", ".Config.version")
    for name in repeated:
        if learner[name] != model["learner"][name]:
            raise SpecError("differs from the model's", f".Config.{name}")
    made = {name: learner[name] for name in keys}
    booster = dict(_object(learner["gradient_booster"], ".Config.gradient_booster"))
    made["gradient_booster"] = booster
    source = model["learner"]["gradient_booster"]
    if booster.get("name") == "dart":
        booster["gbtree"] = booster = dict(_object(booster.get("gbtree"), ".Config.gbtree"))
        source = source.get("gbtree")
    if booster.get("name") == "gbtree":
        params = _object(source, ".gbtree").get("model", {}).get("gbtree_model_param")
        if booster.pop("gbtree_model_param", None) != params:
            raise SpecError("differs from the model's", ".Config.gbtree_model_param")
    return made


# Putting together


def emit(arguments: Mapping[str, Any]) -> bytearray:
    """Return the document of checked arguments: a snapshot, or without configuration a model."""
    table, arrays = arguments["table"], arguments["arrays"]
    objective = {
        **table["objective"],
        **{name: trees.typed(arrays[name], "d") for name in _POSITIONS if name in arrays},
    }
    learner: Table = {name: table[name] for name in _PLAIN if name in table}
    learner["objective"] = objective
    learner["gradient_booster"] = _emitted_booster(arguments)
    document: Table = {"learner": learner, "version": arguments["version"]}
    if arguments["config"] is not None:
        config = _emitted_config(arguments, learner)
        document = {"Config": config, "Model": document}
    pieces: list[bytes | memoryview] = []
    ubjson.write(document, pieces)
    return bytearray().join(pieces)


def _emitted_config(arguments: Mapping[str, Any], learner: Table) -> Table:
    config = dict(arguments["config"])
    booster = config["gradient_booster"] = dict(config["gradient_booster"])
    if booster["name"] == "dart":
        booster["gbtree"] = booster = dict(booster["gbtree"])
    if booster["name"] == "gbtree":
        booster["gbtree_model_param"] = _forest_params(arguments)
    config.update({name: learner[name] for name in ("learner_model_param", "objective")})
    return {"learner": config, "version": arguments["version"]}


def _forest_params(arguments: Mapping[str, Any]) -> Table:
    count = len(arguments["arrays"]["tree_info"])
    return {**arguments["table"]["gbtree_model_param"], "num_trees": str(count)}


def _emitted_booster(arguments: Mapping[str, Any]) -> Table:
    table, arrays = arguments["table"], arguments["arrays"]
    name = table["booster"]
    if name == "gblinear":
        linear: Table = {"weights": trees.typed(arrays["weights"], "d")}
        if "boosted_rounds" in table:
            linear["boosted_rounds"] = table["boosted_rounds"]
        return {"name": name, "model": linear}
    features = int(table["learner_model_param"]["num_feature"])
    model: Table = {
        "gbtree_model_param": _forest_params(arguments),
        "trees": trees.join(arrays, features, table["leaf_size"]),
        "tree_info": arrays["tree_info"].tolist(),
    }
    if "iteration_indptr" in arrays:
        model["iteration_indptr"] = arrays["iteration_indptr"].tolist()
    if arguments["categories"] is not None:
        model["cats"] = {
            "enc": [_emitted_column(column) for column in arguments["categories"]],
            **{key: trees.typed(arrays[key], "l") for key in ("feature_segments", "sorted_idx")},
        }
    booster: Table = {"name": "gbtree", "model": model}
    if name == "dart":
        weights = [float(weight) for weight in arrays["weight_drop"]]
        booster = {"name": name, "gbtree": booster, "weight_drop": weights}
    return booster


def _emitted_column(column: Mapping[str, Any]) -> Table:
    if "offsets" in column:
        offsets = trees.typed(column["offsets"], "l")
        return {"offsets": offsets, "values": trees.typed(column["values"], "i")}
    marker = CATEGORY_MARKERS[column["type"]]
    return {"type": column["type"], "values": trees.typed(column["values"], marker)}
