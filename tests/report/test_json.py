"""The JSON report fits its schema, says everything, and is read back with suspicion."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import samples

from safemodel.errors import DamagedError
from safemodel.report import json_report

SCHEMAS = Path(__file__).parents[2] / "spec" / "schemas"
SCHEMA = json.loads((SCHEMAS / "scan-report.schema.json").read_text())
REPORTS = {"report": samples.report(), "clean": samples.clean(), "hostile": samples.hostile()}


@pytest.mark.parametrize("name", REPORTS)
def test_fits_the_schema(name: str) -> None:
    text = json_report.render(REPORTS[name])
    assert text.isascii()
    assert all(line.isprintable() for line in text.split("\n"))
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(text))


@pytest.mark.parametrize("name", REPORTS)
def test_comes_back_as_it_was(name: str) -> None:
    for file in REPORTS[name].files:
        fields = json.loads(json.dumps(json_report.file_fields(file)))
        assert json_report.file_of(fields, file.path) == file


def test_skipped_files_are_in_it() -> None:
    document = json.loads(json_report.render(samples.report()))
    assert [file["status"] for file in document["files"]].count("skipped") == 1
    assert document["summary"]["skipped"] == 1


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    children = value.items() if isinstance(value, dict) else []
    children = enumerate(value) if isinstance(value, list) else children
    for key, child in children:
        found += paths(child, (*path, key))
    return found


FIELDS = json_report.file_fields(samples.report().files[1])


@given(
    st.sampled_from(paths(FIELDS)),
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.floats(),
)
def test_what_was_changed_is_refused_or_well_typed(path: tuple[Any, ...], value: object) -> None:
    fields = copy.deepcopy(FIELDS)
    place: Any = fields
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    try:
        found = json_report.file_of(fields, "x")
    except DamagedError:
        return
    again = json_report.file_fields(found)
    assert json_report.file_of(json.loads(json.dumps(again)), "x") == found


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(DamagedError):
        json_report.file_of(value, "x")
