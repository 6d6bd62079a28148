"""Folders of Hugging Face to bundles and back: as data, and the same models."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

import safemodel as sm  # noqa: E402
from safemodel.adapters.huggingface import folder as layout  # noqa: E402
from safemodel.errors import (  # noqa: E402
    ArchitectureError,
    FindingsError,
    LegacyError,
    MissingFileError,
    SafemodelError,
    SourceError,
    UnconvertibleError,
    UnsavableError,
    UsageError,
)
from tests.adapters import transformers_cases as cases  # noqa: E402
from tests.adapters.test_transformers_tokenizer import bert as tokenizer  # noqa: E402

ROOT = Path(__file__).parents[2]
NAMES = ["bert", "gpt2", "llama-scaled", "mixtral", "t5", "bart", "whisper", "vit", "clip"]


def folder(name: str, place: Path, **options: Any) -> Any:
    """A folder as the library writes it, and the model that the library reads from it."""
    model = cases.build(name)
    model.save_pretrained(place, **options)
    return type(model).from_pretrained(place, local_files_only=True).eval()


def convert(source: Path, target: Path, **options: Any) -> Path:
    sm.convert(source, target, signer=None, **options)
    return target


def same(first: Any, second: Any) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return list(a) == list(b) and all(
        a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in a
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_there_and_back(name: str, tmp_path: Path) -> None:
    expected = folder(name, tmp_path / "in")
    path = convert(tmp_path / "in", tmp_path / "m.safemodel")
    loaded = sm.load(path, trust=sm.UNSIGNED)
    assert type(loaded) is type(expected)
    assert same(loaded, expected)
    sm.export(path, tmp_path / "out", to="huggingface", trust=sm.UNSIGNED)
    again = type(expected).from_pretrained(tmp_path / "out", local_files_only=True).eval()
    assert same(again, expected)
    for model in (again, expected):  # the library forgets what its class does not train
        for own, other in zip(model.parameters(), loaded.parameters(), strict=True):
            own.requires_grad_(other.requires_grad)
    assert cases.life(name, again) == cases.life(name, expected) == cases.life(name, loaded)
    auto = hf.AutoConfig.from_pretrained(tmp_path / "out", local_files_only=True)
    assert type(auto) is type(expected.config)


@pytest.mark.parametrize("name", ["bert-labels", "qwen2"])
def test_a_saved_model_becomes_a_folder(name: str, tmp_path: Path) -> None:
    model = cases.build(name)
    sm.save(model, tmp_path / "m.safemodel", tokenizer=tokenizer(), signer=None)
    with sm.private_folder(tmp_path / "m.safemodel", trust=sm.UNSIGNED, to="huggingface") as place:
        assert stat.S_IMODE(os.stat(place.parent).st_mode) == 0o700
        loaded = type(model).from_pretrained(place, local_files_only=True).eval()
        words = hf.PreTrainedTokenizerFast.from_pretrained(place, local_files_only=True)
    assert not place.exists()
    assert same(loaded, model)
    assert words("the model")["input_ids"] == tokenizer()("the model")["input_ids"]
    assert loaded.config.id2label == model.config.id2label


def test_shards_are_one_model(tmp_path: Path) -> None:
    expected = folder("llama", tmp_path / "in", max_shard_size="20KB")
    assert len(list((tmp_path / "in").glob("*.safetensors"))) > 2
    path = convert(tmp_path / "in", tmp_path / "m.safemodel")
    assert same(sm.load(path, trust=sm.UNSIGNED), expected)
    with sm.open(path, trust=sm.UNSIGNED) as bundle:
        named = {source.name for source in bundle.manifest.metadata.lineage.sources}
        assert "model.safetensors.index.json" in named
        assert bundle.manifest.libraries == {"transformers": hf.__version__}
    one = folder("llama", tmp_path / "one")
    other = convert(tmp_path / "one", tmp_path / "one.safemodel")
    with sm.open(other, trust=sm.UNSIGNED) as bundle, sm.open(path, trust=sm.UNSIGNED) as sharded:
        assert bundle.manifest.architecture == sharded.manifest.architecture
    assert same(one, expected)


def test_the_tokenizer_and_the_card_come_along(tmp_path: Path) -> None:
    folder("bert", tmp_path / "in")
    tokenizer().save_pretrained(tmp_path / "in")
    (tmp_path / "in" / "README.md").write_text("# A model\n")
    path = convert(tmp_path / "in", tmp_path / "m.safemodel")
    words = sm.load_tokenizer(path, trust=sm.UNSIGNED)
    assert dict(words("the model")) == dict(tokenizer()("the model"))
    with sm.private_folder(path, trust=sm.UNSIGNED) as place:
        assert (place / "README.md").read_text() == "# A model\n"
        assert (place / "weights.safetensors").exists()
    sm.export(path, tmp_path / "out", to="huggingface", trust=sm.UNSIGNED)
    assert (tmp_path / "out" / "README.md").read_text() == "# A model\n"


def test_what_is_left_out_is_named(tmp_path: Path, caplog: Any) -> None:
    folder("bert", tmp_path / "in")
    (tmp_path / "in" / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch x'\ntR.")
    (tmp_path / "in" / "modeling_own.py").write_text("raise SystemExit")
    change(tmp_path / "in", a_note="x")
    path = convert(tmp_path / "in", tmp_path / "m.safemodel")
    assert "left out files: modeling_own.py, pytorch_model.bin" in caplog.text
    assert "left out fields of the configuration: a_note" in caplog.text
    assert not hasattr(sm.load(path, trust=sm.UNSIGNED).config, "a_note")


def test_a_tokenizer_without_its_json_is_missed_aloud(tmp_path: Path, caplog: Any) -> None:
    folder("bert", tmp_path / "in")
    (tmp_path / "in" / "spiece.model").write_bytes(b"\n\x0e")
    convert(tmp_path / "in", tmp_path / "m.safemodel")
    assert "no tokenizer.json, so the tokenizer was left out: spiece.model" in caplog.text


def test_fields_are_kept_and_left_out_as_in_a_save(tmp_path: Path, caplog: Any) -> None:
    """What is in the table is kept, whether the class declares it or not; else it is named."""
    model = hf.Qwen2ForCausalLM(hf.Qwen2Config(**cases._GROUPED, head_dim=16)).eval()
    model.save_pretrained(tmp_path / "in")
    change(tmp_path / "in", n_ctx=9, my_extra=3)
    path = convert(tmp_path / "in", tmp_path / "m.safemodel")
    loaded = sm.load(path, trust=sm.UNSIGNED)
    assert (loaded.config.head_dim, loaded.config.n_ctx) == (16, 9)
    assert "my_extra" in caplog.text
    assert same(loaded, model)
    caplog.clear()
    model.config.n_ctx, model.config.my_extra = 9, 3
    sm.save(model, tmp_path / "saved.safemodel", signer=None)
    saved = sm.load(tmp_path / "saved.safemodel", trust=sm.UNSIGNED)
    assert (saved.config.head_dim, saved.config.n_ctx) == (16, 9)
    assert "my_extra" in caplog.text
    assert not hasattr(saved.config, "my_extra")
    assert not hasattr(loaded.config, "my_extra")


def change(place: Path, **values: Any) -> None:
    path = place / "config.json"
    config = json.loads(path.read_text()) | values
    path.write_text(json.dumps(config))


OLD: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": (
        "bert",
        {
            "attention_probs_dropout_prob": 0.1, "gradient_checkpointing": False,
            "position_embedding_type": "absolute", "torch_dtype": "float32",
            "transformers_version": "4.6.0.dev0", "pruned_heads": {}, "output_past": True,
        },
    ),
    "gpt2": (
        "gpt2",
        {
            "n_ctx": 64, "summary_type": "cls_index", "summary_activation": None,
            "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
        },
    ),
    "t5": ("t5", {"n_positions": 512, "output_past": True, "max_length": 20, "num_beams": 1}),
    "llama": (
        "llama",
        {
            "rope_theta": 1e4, "rope_scaling": None, "pretraining_tp": 1, "torch_dtype": "float32",
            "n_ctx": 64, "a_note": "x",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD)
def test_configurations_of_older_releases_are_understood(name: str, tmp_path: Path) -> None:
    case, values = OLD[name]
    folder(case, tmp_path / "in")
    change(tmp_path / "in", **values)
    path = tmp_path / "in" / "config.json"
    config = json.loads(path.read_text())
    config.pop("rope_parameters", None)
    path.write_text(json.dumps(config))
    expected = type(cases.build(case)).from_pretrained(tmp_path / "in", local_files_only=True)
    loaded = sm.load(convert(tmp_path / "in", tmp_path / "m.safemodel"), trust=sm.UNSIGNED)
    assert same(loaded, expected)
    assert cases.life(case, loaded) == cases.life(case, expected.eval())


def test_a_class_of_no_table_is_converted_as_its_state(tmp_path: Path, caplog: Any) -> None:
    expected = folder("bert", tmp_path / "in")
    change(tmp_path / "in", architectures=["OwnModel"])
    path = convert(tmp_path / "in", tmp_path / "m.safemodel")
    assert "no table has the class" in caplog.text
    state = sm.load(path, trust=sm.UNSIGNED)
    assert torch.equal(
        state["bert.embeddings.word_embeddings.weight"],
        expected.state_dict()["bert.embeddings.word_embeddings.weight"],
    )


HOSTILE: dict[str, tuple[Any, type[SafemodelError]]] = {
    "code of the repository": (
        lambda p: change(p, auto_map={"AutoModel": "modeling_own.Own"}),
        FindingsError,
    ),
    "a quantizer": (
        lambda p: change(p, quantization_config={"quant_method": "gptq"}),
        UnconvertibleError,
    ),
    "layers of text": (lambda p: change(p, num_hidden_layers="2"), UnconvertibleError),
    "far too many layers": (lambda p: change(p, num_hidden_layers=2**40), UnconvertibleError),
    "a dtype that is a function": (lambda p: change(p, dtype="load"), UnconvertibleError),
    "no json": (lambda p: (p / "config.json").write_text("{"), LegacyError),
    "a list": (lambda p: (p / "config.json").write_text("[1]"), UnconvertibleError),
    "no configuration": (lambda p: (p / "config.json").unlink(), MissingFileError),
    "no weights": (lambda p: (p / "model.safetensors").unlink(), UnconvertibleError),
    "weights cut short": (
        lambda p: os.truncate(p / "model.safetensors", 5000),
        (SafemodelError),
    ),
    "an index that leads outside": (
        lambda p: (p / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"a": "../other.safetensors"}})
        ),
        SafemodelError,
    ),
    "an index of pickles": (
        lambda p: (p / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"a": "pytorch_model.bin"}})
        ),
        SafemodelError,
    ),
    "a template that escapes": (
        lambda p: (p / "chat_template.jinja").write_text(
            "{{ ''.__class__.__mro__[1].__subclasses__() }}"
        ),
        FindingsError,
    ),
    "a pipe": (
        lambda p: ((p / "config.json").unlink(), os.mkfifo(p / "config.json")),
        SourceError,
    ),
    "a tokenizer with settings that are none": (
        lambda p: (p / "tokenizer_config.json").write_text('{"padding_side": "up"}'),
        UnconvertibleError,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_folder_is_refused(name: str, tmp_path: Path) -> None:
    edit, error = HOSTILE[name]
    folder("bert", tmp_path / "in")
    edit(tmp_path / "in")
    with pytest.raises(error):
        convert(tmp_path / "in", tmp_path / "m.safemodel")
    assert not (tmp_path / "m.safemodel").exists()


@pytest.mark.parametrize("name", ["README.md", "chat_template.jinja", "config.json"])
def test_a_link_out_of_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    folder("bert", tmp_path / "in")
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "in" / name).unlink(missing_ok=True)
    (tmp_path / "in" / name).symlink_to("../secret")
    with pytest.raises(SourceError, match="leads out of the folder"):
        convert(tmp_path / "in", tmp_path / "m.safemodel")
    assert not (tmp_path / "m.safemodel").exists()


def test_a_snapshot_of_the_cache_is_links(tmp_path: Path) -> None:
    place = tmp_path / "models--a--b"
    snapshot = place / "snapshots" / "0123"
    expected = folder("bert", snapshot)
    (place / "blobs").mkdir()
    for number, file in enumerate(sorted(snapshot.iterdir())):
        file.rename(place / "blobs" / str(number))
        file.symlink_to(f"../../blobs/{number}")
    (place / "secret").write_text("secret")
    loaded = sm.load(convert(snapshot, tmp_path / "m.safemodel"), trust=sm.UNSIGNED)
    assert same(loaded, expected)
    (snapshot / "README.md").symlink_to("../../secret")
    with pytest.raises(SourceError, match="leads out of the folder"):
        convert(snapshot, tmp_path / "m.safemodel")


def test_a_bundle_is_not_written_into_the_folder(tmp_path: Path) -> None:
    folder("bert", tmp_path / "in")
    with pytest.raises(UsageError, match="into the folder itself"):
        convert(tmp_path / "in", tmp_path / "in" / "m.safemodel")


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    folder("bert", tmp_path / "in")
    place = tmp_path / "in"
    shutil.copy(place / "model.safetensors", place / "a.safetensors")
    (place / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"x": "a.safetensors", "y": "model.safetensors"}})
    )
    with pytest.raises(UnconvertibleError, match="in another shard"):
        convert(place, tmp_path / "m.safemodel")


def test_weights_that_the_model_misses_are_no_random_numbers(tmp_path: Path) -> None:
    model = cases.build("bert")
    model.bert.save_pretrained(tmp_path / "in")
    change(tmp_path / "in", architectures=["BertForSequenceClassification"])
    path = convert(tmp_path / "in", tmp_path / "m.safemodel")
    with pytest.raises(ArchitectureError, match=r"missing keys of the model: bert\.pooler"):
        sm.load(path, trust=sm.UNSIGNED)


def test_what_is_no_model_of_transformers_is_not_exported(tmp_path: Path) -> None:
    sm.save({"a": torch.ones(2)}, tmp_path / "m.safemodel", signer=None)
    with pytest.raises(UnsavableError, match="no model of Transformers"):
        sm.export(tmp_path / "m.safemodel", tmp_path / "out", to="huggingface", trust=sm.UNSIGNED)
    assert not (tmp_path / "out").exists()
    sm.save(cases.build("bert"), tmp_path / "b.safemodel", signer=None)
    (tmp_path / "out").mkdir()
    with pytest.raises(SourceError, match="there already"):
        sm.export(tmp_path / "b.safemodel", tmp_path / "out", to="huggingface", trust=sm.UNSIGNED)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "b.safemodel", "m.safemodel", "out",
    ]  # fmt: skip


def test_neither_library_is_imported_to_convert_or_export(tmp_path: Path) -> None:
    folder("bert", tmp_path / "in")
    code = (
        "import sys, safemodel as sm\n"
        "source, archive, target = sys.argv[1:]\n"
        "sm.convert(source, archive, signer=None)\n"
        "sm.export(archive, target, to='huggingface', trust=sm.UNSIGNED)\n"
        "print(sorted({'torch', 'transformers', 'tokenizers'} & set(sys.modules)))\n"
    )
    places = [str(tmp_path / name) for name in ("in", "m.safemodel", "out")]
    run = subprocess.run(
        [sys.executable, "-c", code, *places], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout.strip() == "[]"


def test_the_command_line_converts_and_exports(tmp_path: Path) -> None:
    from safemodel.cli import main

    expected = folder("bert", tmp_path / "in")
    archive = str(tmp_path / "m.safemodel")
    assert main(["convert", str(tmp_path / "in"), archive, "--unsigned"]) == 0
    out = str(tmp_path / "out")
    assert main(["export", archive, out, "--to", "huggingface", "--unsigned"]) == 0
    assert same(hf.BertForMaskedLM.from_pretrained(out, local_files_only=True), expected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["architectures", "hidden_size", "text_config", "id2label", "dtype", "rope_scaling", "auto_map",
     "quantization_config", "eos_token_id", "hidden_act", "other"]
)  # fmt: skip


@given(
    config=st.dictionaries(KEYS, JSON, max_size=5),
    generation=st.none() | st.dictionaries(KEYS, JSON),
)
@settings(max_examples=200, deadline=None)
def test_any_configuration_is_described_or_refused(config: Any, generation: Any) -> None:
    config.setdefault("architectures", ["BertModel"])
    try:
        found, _ = layout.described(config, generation, 100)
    except ArchitectureError:
        return
    if found is not None:
        again, _ = layout.files(found, 100)
        assert again["architectures"] == [found["class"]]
        json.dumps(again, allow_nan=False)
