"""Validly signed archives of models that are made to do harm: refused, and nothing happens."""

from __future__ import annotations

import copy
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

from safemodel import adapters  # noqa: E402
from safemodel.adapters import transformers as adapter  # noqa: E402
from safemodel.adapters.huggingface import config as configs  # noqa: E402
from safemodel.adapters.huggingface.classes import MODELS  # noqa: E402
from safemodel.adapters.huggingface.fields import ARGUMENTS, FIELDS, GENERATION  # noqa: E402
from safemodel.adapters.protocol import Saved  # noqa: E402
from safemodel.bundle.contents import Contents  # noqa: E402
from safemodel.bundle.write import write  # noqa: E402
from safemodel.errors import ArchitectureError, SafemodelError, UnsupportedError  # noqa: E402
from safemodel.format.manifest import Adapter  # noqa: E402
from safemodel.trust.policy import UNSIGNED  # noqa: E402
from tests.adapters import transformers_cases as cases  # noqa: E402

Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def good() -> dict[str, Saved]:
    return {
        name: adapter.save(cases.build(name))
        for name in ("bert", "clip", "falcon", "gpt2", "llama")
    }


def written(saved: Saved, architecture: Any, path: Path) -> Path:
    contents = Contents(
        framework="transformers",
        adapter=Adapter("transformers", 1),
        libraries=saved.libraries,
        architecture=architecture,
        tensors=saved.tensors,
    )
    write(str(path), contents, signers=())
    return path


def edited(saved: Saved, edit: Edit, path: Path) -> Path:
    architecture: Any = copy.deepcopy(saved.architecture)
    edit(architecture)
    return written(saved, architecture, path)


def test_what_is_not_edited_loads(good: Any, tmp_path: Path) -> None:
    for name, saved in good.items():
        adapters.load(edited(saved, lambda a: None, tmp_path / f"{name}.safemodel"), trust=UNSIGNED)


def field(name: str, value: Any, inner: str = "") -> Edit:
    def edit(architecture: dict[str, Any]) -> None:
        fields = architecture["model"]["config"]
        if inner:
            fields = fields[inner]["fields"]
        fields[name] = value

    return edit


def model(**values: Any) -> Edit:
    return lambda architecture: architecture["model"].update(values)


HUGE = 2**40
EDITS: dict[str, tuple[str, Edit]] = {
    "unknown class": ("bert", model(**{"class": "EvilModel"})),
    "a class by its path": ("bert", model(**{"class": "os.system"})),
    "another class": ("bert", model(**{"class": "GPT2LMHeadModel"})),
    "a base class": ("bert", model(**{"class": "PreTrainedModel"})),
    "no class": ("bert", model(**{"class": None})),
    "a dictionary as class": ("bert", model(**{"class": {"auto_map": "x"}})),
    "auto_map": ("bert", field("auto_map", {"pairs": [["AutoModel", "evil.Evil"]]})),
    "trust_remote_code": ("bert", field("trust_remote_code", True)),
    "code revision": ("bert", field("code_revision", "main")),
    "a method": ("bert", field("to_dict", "x")),
    "a dunder": ("bert", field("__class__", "x")),
    "attribute_map": ("bert", field("attribute_map", {"pairs": [["a", "b"]]})),
    "a kernel of the hub": ("bert", field("_attn_implementation", "acme/kernel")),
    "the same in public": ("bert", field("attn_implementation", "acme/kernel:run")),
    "the same inside": ("bert", field("_attn_implementation_internal", "acme/kernel")),
    "the same as attention": ("bert", model(attention="acme/kernel")),
    "another attention": ("bert", model(attention="flash_attention_2")),
    "experts": ("llama", field("experts_implementation", "acme/kernel")),
    "quantization": ("bert", field("quantization_config", {"pairs": [["quant_method", "gptq"]]})),
    "a place": ("bert", field("_name_or_path", "acme/other")),
    "weights elsewhere": ("bert", field("transformers_weights", "/etc/passwd")),
    "fusions": ("bert", field("fusion_config", {"pairs": [["x", True]]})),
    "a distributed model": ("llama", field("distributed_config", {"pairs": [["tp_size", 8]]})),
    "torchscript": ("bert", field("torchscript", True)),
    "any name of torch as dtype": ("bert", field("dtype", "load")),
    "the same of old": ("bert", field("torch_dtype", "classes")),
    "the same inside another": ("clip", field("dtype", "ops", "text_config")),
    "a dtype that is none": ("bert", field("dtype", {"pairs": []})),
    "an activation that is none": ("bert", field("hidden_act", "__import__('os')")),
    "a list as activation": ("bert", field("hidden_act", ["gelu"])),
    "too many layers": ("bert", field("num_hidden_layers", 60_000)),
    "far too many layers": ("bert", field("num_hidden_layers", HUGE)),
    "layers of text": ("bert", field("num_hidden_layers", "12")),
    "layers as a float": ("bert", field("num_hidden_layers", {"float": (2.0).hex()})),
    "no layers": ("bert", field("num_hidden_layers", 0)),
    "layers below none": ("bert", field("num_hidden_layers", -5)),
    "a wide model": ("bert", field("hidden_size", 65_536)),
    "far too wide": ("bert", field("hidden_size", HUGE)),
    "many words": ("bert", field("vocab_size", 60_000)),
    "many positions": ("bert", field("max_position_embeddings", 2**31)),
    "positions of a model that holds none": ("gpt2", field("n_positions", 2**31)),
    "no heads": ("bert", field("num_attention_heads", 0)),
    "heads that do not fit": ("bert", field("num_attention_heads", 5)),
    "layers of a model that is two": ("clip", field("num_hidden_layers", 60_000, "text_config")),
    "pictures of a gigapixel": ("clip", field("image_size", 65_000, "vision_config")),
    "patches of nothing": ("clip", field("patch_size", 0, "vision_config")),
    "a model inside that is none": ("clip", field("text_config", {"pairs": []})),
    "a model inside that inherits": ("bert", field("text_config", {"fields": {}})),
    "a model inside of another": (
        "clip",
        field("text_config", {"fields": {"auto_map": "x"}}, "text_config"),
    ),
    "infinity": ("bert", field("layer_norm_eps", {"float": "inf"})),
    "no number": ("bert", field("layer_norm_eps", {"float": "nan"})),
    "a number in another spelling": ("bert", field("layer_norm_eps", {"float": "1.0"})),
    "angles that are none": ("llama", field("rope_parameters", ["x"])),
    "angles of a kind that is none": (
        "llama",
        field("rope_parameters", {"pairs": [["rope_type", "evil"]]}),
    ),
    "angles in angles": (
        "llama",
        field("rope_parameters", {"pairs": [["a", {"pairs": [["b", {"pairs": [["c", 1]]}]]}]]}),
    ),
    "labels that are none": ("bert", field("id2label", {"pairs": [[0, ["x"]]]})),
    "labels with keys that are none": ("bert", field("id2label", {"pairs": [["x", "y"]]})),
    "a label twice": ("bert", field("id2label", {"pairs": [[0, "a"], [0, "b"]]})),
    "billions of labels": ("bert", field("num_labels", HUGE)),
    "a field that hides a property": ("falcon", field("head_dim", 4)),
    "a field of no class of a kind that is none": ("bert", field("n_positions", "x")),
    "a field of no class out of all bounds": ("bert", field("d_model", HUGE)),
    "a field that no table has": ("bert", field("my_extra", 3)),
    "heads that the tensors have not": ("llama", field("head_dim", 64)),
    "a frozen parameter of no model": ("bert", model(frozen=["evil.weight"])),
    "a frozen buffer": ("bert", model(frozen=["bert.embeddings.position_ids"])),
    "a frozen parameter twice": ("bert", model(frozen=["cls.predictions.bias"] * 2)),
    "frozen parameters out of order": (
        "bert",
        model(frozen=["cls.predictions.bias", "bert.embeddings.LayerNorm.bias"]),
    ),
    "frozen parameters that are none": ("bert", model(frozen=True)),
    "a number that is frozen": ("bert", model(frozen=[0])),
    "parameters that are frozen under names of files": (
        "bert",
        model(frozen=["cls.predictions.bias"], names="file"),
    ),
    "a mode that is none": ("bert", model(training=False)),
    "a mode of text": ("bert", model(training="yes")),
    "a mode of a module that is none": ("bert", model(training=["__class__"])),
    "a mode of numbers": ("bert", model(training=[1])),
    "a mode under names of files": ("bert", model(training=True, names="file")),
    "nesting": ("bert", field("pad_token_id", [[[[[[[[[[1]]]]]]]]]])),
    "a configuration that is a list": ("bert", model(config=[])),
    "no configuration": ("bert", lambda a: a["model"].pop("config")),
    "a model that is a list": ("bert", lambda a: a.update(model=[])),
    "more in the model": ("bert", model(code="import os")),
    "more beside it": ("bert", lambda a: a.update(program={})),
    "no state": ("bert", lambda a: a.pop("graph")),
    "names of another kind": ("bert", model(names="x")),
    "generation of a model that has none": ("bert", model(generation={})),
    "code that generates": ("gpt2", model(generation={"custom_generate": "acme/run"})),
    "an assistant": ("gpt2", model(generation={"assistant_model": "acme/run"})),
    "a watermark": ("gpt2", model(generation={"watermarking_config": {"fields": {}}})),
    "compilation": ("gpt2", model(generation={"compile_config": {"pairs": []}})),
    "generation that is none": ("gpt2", model(generation=None)),
    "a beam of text": ("gpt2", model(generation={"num_beams": "x"})),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_hostile_model_is_refused(name: str, good: Any, tmp_path: Path) -> None:
    base, edit = EDITS[name]
    path = edited(good[base], edit, tmp_path / "m.safemodel")
    before = time.process_time()
    with pytest.raises((ArchitectureError, UnsupportedError)):
        adapters.load(path, trust=UNSIGNED)
    assert time.process_time() - before < 10


def pairs(architecture: dict[str, Any]) -> list[Any]:
    graph = architecture["graph"]
    found: list[Any] = graph["nodes"][graph["root"]["ref"]]["items"]
    return found


def drop(architecture: dict[str, Any]) -> None:
    # Two names for one tensor: nothing is unused, and one entry is missing.
    items = pairs(architecture)
    items[1][0] = "other.name"


def holes(architecture: dict[str, Any]) -> None:
    nodes = architecture["graph"]["nodes"]
    biases = [node for node in nodes if node["kind"] == "tensor" and "bias" in str(node["data"])]
    biases[0].update(shape=[32], strides=[0], offset=0)


def number(architecture: dict[str, Any]) -> None:
    pairs(architecture).append(["number", 1])


@pytest.mark.parametrize("of_files", [False, True], ids=["of the model", "of files"])
@pytest.mark.parametrize("edit", [drop, holes, number])
def test_a_state_that_is_not_of_the_model_is_refused(
    edit: Edit, of_files: bool, good: Any, tmp_path: Path
) -> None:
    def both(architecture: dict[str, Any]) -> None:
        edit(architecture)
        if of_files:
            architecture["model"]["names"] = "file"

    path = edited(good["bert"], both, tmp_path / "m.safemodel")
    with pytest.raises(ArchitectureError):
        adapters.load(path, trust=UNSIGNED)


def test_names_of_files_may_be_those_of_the_model(good: Any, tmp_path: Path) -> None:
    path = edited(good["llama"], model(names="file"), tmp_path / "m.safemodel")
    loaded = adapters.load(path, trust=UNSIGNED)
    for name, value in cases.build("llama").state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_a_large_model_without_tensors_takes_no_memory(good: Any, tmp_path: Path) -> None:
    """Sizes within their bounds, and out of all proportion together: refused in little memory."""
    paths = []
    for number, (base, edits) in enumerate(
        [
            ("bert", {"num_hidden_layers": 5000, "hidden_size": 65_536}),
            ("bert", {"max_position_embeddings": 2**31, "hidden_size": 65_536}),
            ("gpt2", {"n_positions": 2**31}),
            ("llama", {"num_hidden_layers": 65_536, "max_position_embeddings": 2**31}),
            ("llama", {"head_dim": 65_536, "num_attention_heads": 65_536}),
        ]
    ):

        def edit(architecture: dict[str, Any], edits: Any = edits) -> None:
            architecture["model"]["config"].update(edits)

        paths.append(str(edited(good[base], edit, tmp_path / f"{number}.safemodel")))
    code = (
        "import resource, sys\n"
        "from safemodel import adapters, errors\n"
        "from safemodel.trust.policy import UNSIGNED\n"
        "import safemodel.adapters.transformers\n"
        "from transformers import BertForMaskedLM, GPT2LMHeadModel, LlamaForCausalLM\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sys.argv[1:]:\n"
        "    try: adapters.load(path, trust=UNSIGNED); print('loaded')\n"
        "    except errors.ArchitectureError: pass\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 400


def test_code_beside_the_archive_and_on_the_path_is_not_run(
    good: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    marker = tmp_path / "marker"
    for name in ("modeling_evil.py", "configuration_evil.py", "evil.py"):
        (tmp_path / name).write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    for value in ("modeling_evil.Evil", "evil--modeling_evil.Evil"):
        for edit in (
            field("auto_map", {"pairs": [["AutoModel", value]]}),
            model(**{"class": value}),
            model(generation={"custom_generate": value}),
            field("hidden_act", value),
        ):
            with pytest.raises(SafemodelError):
                adapters.load(edited(good["bert"], edit, tmp_path / "m.safemodel"), trust=UNSIGNED)
    assert not marker.exists()


def test_every_class_of_the_table_is_what_the_library_has() -> None:
    from safemodel.adapters.transformers import building

    for name in MODELS:
        kind = building.model_class(name)
        assert kind.__name__ == name
        assert issubclass(kind, hf.PreTrainedModel)
        assert kind.config_class.__name__ == MODELS[name].config


_SUSPECT = {
    "auto", "file", "files", "code", "kernels", "class", "custom", "map", "module",
    "quantization", "implementation", "compile", "backbone", "revision", "method",
}  # fmt: skip


def test_no_field_of_the_tables_names_code_or_a_place() -> None:
    # Of the caches that it may name, the library has a closed set.
    for name in {*FIELDS, *GENERATION, *ARGUMENTS} - {"cache_implementation"}:
        assert name.isidentifier()
        assert not name.startswith("_"), name
        assert not _SUSPECT & set(name.split("_")), name
        assert not hasattr(hf.PreTrainedConfig, name) or not callable(
            getattr(hf.PreTrainedConfig, name)
        ), name


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(lambda v: {"pairs": v}, st.lists(st.lists(inner, min_size=2, max_size=2)))
        | st.builds(
            lambda v: {"fields": v}, st.dictionaries(st.sampled_from(sorted(FIELDS)), inner)
        )
        | st.builds(
            lambda v: {"float": v}, st.sampled_from(["0x1.8p+1", "inf", "nan", "x", "0x0p+0"])
        )
        | st.dictionaries(st.sampled_from(["pairs", "fields", "float", "ref"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)) | st.text(max_size=8), VALUES, max_size=5))
@settings(max_examples=200, deadline=None)
def test_any_json_is_a_configuration_or_an_error_of_ours(value: Any) -> None:
    try:
        found = configs.decode_fields(value, 1000)
    except ArchitectureError:
        return
    assert found.keys() <= FIELDS.keys()
    assert configs.decode_fields(configs.encode_fields(found), 1000) == found


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_field_makes_a_configuration_or_an_error_of_ours(data: Any) -> None:
    from safemodel.adapters.transformers import building

    values = data.draw(
        st.dictionaries(st.sampled_from(sorted(FIELDS)), VALUES, min_size=1, max_size=4)
    )
    name = data.draw(st.sampled_from(["BertModel", "LlamaModel", "CLIPModel", "T5Model"]))
    try:
        fields = configs.decode_fields(values, 1000)
        building.make_config(building.model_class(name).config_class, fields)
    except ArchitectureError:
        pass


@given(
    st.dictionaries(st.sampled_from(["frozen", "training"]), VALUES | st.lists(st.text())),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_any_json_is_how_a_model_is_trained_or_an_error_of_ours(value: Any, of_file: bool) -> None:
    from safemodel.adapters.transformers import training

    module = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout())
    before = [*module.__dict__]
    try:
        training.check({**value, "names": "file"} if of_file else value)
        training.restore(module, value, frozenset())
    except ArchitectureError:
        pass
    assert [*module.__dict__] == before
    assert all(type(part.training) is bool for part in module.modules())
