"""A child of test_tensorflow_graphs.py: traces functions of TensorFlow, and writes them as JSON.

    python tensorflow_graphs_fresh.py FOLDER NAME ...    prints a JSON object: name to what is wrong

The facts are those that TensorFlow's own parser finds; the JSON of a function is that of the same
function in a SavedModel.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import tensorflow as tf

from safemodel.adapters.tensorflow.encoding import Writer
from safemodel.adapters.tensorflow.program import VariableType
from safemodel.format import canonical_json
from safemodel.legacy.saved_model import parse_saved_model
from safemodel.legacy.tensorflow_functions import FunctionFact, function_fact, graph_fact
from tests.adapters import tensorflow_cases as cases


def concrete_functions(case: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry, args, kwargs in case.calls:
        if entry not in found:
            method = getattr(case.thing, entry)
            if not hasattr(method, "get_concrete_function"):
                method = tf.function(method)
            found[entry] = method.get_concrete_function(*args, **kwargs)
    return found


def variables(concrete: Any, fact: FunctionFact) -> dict[int, VariableType]:
    """What the captured variables of a function are, by the places of its arguments."""
    handles = {id(one.handle): one for one in concrete.graph.variables}
    first = len(fact.arguments) - len(concrete.captured_inputs)
    found = {}
    for place, captured in enumerate(concrete.captured_inputs, first):
        if captured.dtype == tf.resource:
            one = handles[id(captured)]
            shape = one.shape
            sizes = None if shape.rank is None else tuple(-1 if n is None else n for n in shape)
            found[place] = VariableType(one.dtype.name, sizes)
    return found


def written(name: str, library: dict[str, FunctionFact], known: dict[int, VariableType]) -> Any:
    writer = Writer(library)
    number = writer.function(name, known)
    assert number == len(writer.functions) - 1
    constants = {
        key: (one.dtype, one.shape, one.data()) for key, one in writer.constants.stored.items()
    }
    return canonical_json.encode(writer.functions), constants


def differences(concrete: Any, fact: FunctionFact) -> Iterator[str]:
    """What the facts have otherwise than TensorFlow's own parser."""
    definition = concrete.function_def
    signature = definition.signature
    if [one.name for one in signature.input_arg] != [one.name for one in fact.arguments]:
        yield "arguments"
    if [one.type for one in signature.input_arg] != [
        tf.as_dtype(one.dtype).as_datatype_enum for one in fact.arguments
    ]:
        yield "types of arguments"
    if dict(definition.ret) != fact.returns or {*definition.control_ret.values()} != {
        *fact.must_run
    }:
        yield "results"
    for theirs, ours in zip(definition.node_def, fact.nodes, strict=True):
        inputs = [*ours.inputs, *(f"^{one}" for one in ours.after)]
        if (theirs.name, theirs.op, list(theirs.input)) != (ours.name, ours.operation, inputs):
            yield f"node {theirs.name}"
        if theirs.attr.keys() != ours.attributes.keys():
            yield f"attributes of {theirs.name}"
        for key, value in theirs.attr.items():
            if not same(value, ours.attributes[key].value):
                yield f"attribute {key} of {theirs.name}"


def same(theirs: Any, ours: Any) -> bool:
    """Whether a type or a constant is that of TensorFlow's own parser."""
    kind = theirs.WhichOneof("value")
    if kind == "type":
        return bool(tf.as_dtype(theirs.type).name == ours)
    if kind != "tensor":
        return True
    array = tf.make_ndarray(theirs.tensor)
    if ours.dtype == "string":
        return bool(ours.texts() == tuple(array.ravel()) and ours.shape == array.shape)
    return bool(ours.data() == array.tobytes() and ours.shape == array.shape)


def check(name: str, folder: Path) -> str:
    case = cases.CASES[name]()
    concretes = concrete_functions(case)
    outer = tf.Module()
    outer.thing = case.thing
    live = {}
    for place, (entry, concrete) in enumerate(concretes.items()):
        fact = function_fact(memoryview(concrete.function_def.SerializeToString()))
        found = list(differences(concrete, fact))
        if found:
            return f"{entry}: {found[:5]}"
        graph = graph_fact(memoryview(concrete.graph.as_graph_def().SerializeToString()))
        library = {**graph.functions, fact.name: fact}
        live[fact.name] = written(fact.name, library, variables(concrete, fact))
        setattr(outer, f"entry{place}", concrete)
    tf.saved_model.save(outer, str(folder / name))
    data = (folder / name / "saved_model.pb").read_bytes()
    (graph_of_file,) = parse_saved_model(memoryview(data))
    for function, wanted in live.items():
        # What variables are stands in the file.
        if written(function, dict(graph_of_file.graph.functions), {}) != wanted:
            return f"{function}: other JSON from the SavedModel"
    return ""


def main() -> None:
    folder = Path(sys.argv[1])
    found = {}
    for name in sys.argv[2:] or sorted(cases.MODULES):
        try:
            found[name] = check(name, folder)
        except Exception:
            found[name] = traceback.format_exc()[-2000:]
    print("RESULTS " + json.dumps(found))


if __name__ == "__main__":
    main()
