"""What of an architecture only its caller can allow, whatever the architecture is."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from safemodel.adapters.needs import needs_of

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["graph", "nodes", "kind", "items"]), inner, max_size=4)
    ),
    max_leaves=12,
)
ROOT = {"kind": "dict", "items": [["class", "Sequential"], ["backend", ""]]}


def keras(*nodes: Any) -> list[str]:
    return needs_of({"graph": {"nodes": [ROOT, *nodes]}})


def node(**fields: Any) -> dict[str, Any]:
    return {"kind": "dict", "items": [[key, value] for key, value in fields.items()]}


def test_classes_and_functions_of_keras() -> None:
    own = node(class_name="Gate", registered_name="acme>Gate", config={"ref": 1})
    function = node(class_name="function", registered_name="function", config="acme>f")
    dense = node(class_name="Dense", registered_name=None, config="a>b")
    text = node(registered_name="acme>Text")
    assert keras(own, function, own, dense, text) == ["acme>Gate", "acme>f"]
    assert needs_of({"graph": {"nodes": [own]}}) == []  # of no model


@given(st.lists(PLAIN, max_size=3), PLAIN)
def test_anything(nodes: list[Any], items: Any) -> None:
    assert keras(*nodes, {"kind": "dict", "items": items}) == []
    assert needs_of({"graph": {"nodes": nodes}}) == []
    assert needs_of(items) == []
