"""Models of Transformers: from their configuration and verified tensors, the same as they were."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")

from safemodel import adapters  # noqa: E402
from safemodel.adapters.protocol import LoadReport  # noqa: E402
from safemodel.errors import UnsavableError, UsageError  # noqa: E402
from tests.adapters import transformers_cases as cases  # noqa: E402

HERE = Path(__file__).parent


def compare(names: list[str], tmp_path: Path) -> None:
    """Save models, load them in one fresh interpreter, and compare all that they do."""
    expected = {}
    for name in names:
        model = cases.build(name)
        adapters.save(model, tmp_path / f"{name}.safemodel", signer=None)
        expected[name] = [cases.life(name, model), []]
    run = subprocess.run(
        [sys.executable, str(HERE / "transformers_fresh.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(json.loads(line) for line in run.stdout.splitlines() if line.startswith('["'))
    assert found == expected


# Heads and generation, what is frozen and tied, experts, two halves, what the class freezes, two in
# one.
SAMPLE = ["bert-labels", "gpt2", "llama-frozen", "mixtral", "t5", "whisper", "clip"]


def test_models_are_the_same_in_a_fresh_interpreter(tmp_path: Path) -> None:
    compare(SAMPLE, tmp_path)


@pytest.mark.slow
def test_more_models_are_the_same_in_a_fresh_interpreter(tmp_path: Path) -> None:
    compare([name for name in cases.ALL if name not in SAMPLE], tmp_path)


def again(model: Any, tmp_path: Path, **options: Any) -> Any:
    path = tmp_path / "model.safemodel"
    adapters.save(model, path, signer=None)
    from safemodel.trust.policy import UNSIGNED

    return adapters.load(path, trust=UNSIGNED, **options)


def test_a_model_is_ready_to_be_used(tmp_path: Path) -> None:
    model = cases.build("llama-scaled")
    loaded = again(model, tmp_path)
    assert type(loaded) is type(model)
    assert not loaded.training
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    assert loaded.config.rope_parameters == model.config.rope_parameters
    assert dict(loaded.named_buffers()).keys() == dict(model.named_buffers()).keys()


def test_types_of_entries_survive_whatever_the_model_says(tmp_path: Path) -> None:
    model = cases.build("bert").to(torch.bfloat16)
    model.cls.predictions.bias.data = model.cls.predictions.bias.data.double()
    loaded = again(model, tmp_path)
    for name, value in model.state_dict().items():
        assert loaded.state_dict()[name].dtype == value.dtype, name
        assert torch.equal(loaded.state_dict()[name], value)


def test_weights_that_the_user_tied_stay_tied(tmp_path: Path) -> None:
    model = cases.build("bert-labels")
    layers = model.bert.encoder.layer
    layers[1].output.dense.weight = layers[0].output.dense.weight
    loaded = again(model, tmp_path).bert.encoder.layer
    assert loaded[1].output.dense.weight is loaded[0].output.dense.weight
    count = sum(1 for _ in model.parameters())
    assert sum(1 for _ in again(model, tmp_path).parameters()) == count


def test_generation_is_as_it_was_set(tmp_path: Path) -> None:
    model = cases.build("gpt2")
    model.generation_config.max_new_tokens = 5
    model.generation_config.repetition_penalty = 1.25
    model.generation_config.suppress_tokens = [4, 5]
    loaded = again(model, tmp_path)
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(model.generate(ids), loaded.generate(ids))
    assert loaded.generation_config.repetition_penalty == 1.25


def test_the_state_goes_into_a_model_of_yours(tmp_path: Path) -> None:
    model = cases.build("bert")
    other = cases.build("bert", seed=5)
    assert again(model, tmp_path, into=other) == LoadReport()
    body = hf.BertModel(model.config, add_pooling_layer=False)
    assert again(model, tmp_path, into=body, prefix="bert.") == LoadReport()
    for name, value in body.state_dict().items():
        assert torch.equal(value, model.state_dict()[f"bert.{name}"])
    state = again(model, tmp_path, into=dict)
    assert list(state) == list(model.state_dict())


def test_a_model_goes_to_a_device_that_is_there(tmp_path: Path) -> None:
    model = cases.build("bert")
    assert again(model, tmp_path, device="meta").device.type == "meta"
    there = again(model, tmp_path, device="cpu").state_dict()
    assert all(torch.equal(value, there[name]) for name, value in model.state_dict().items())
    for missing in ("toaster", "cuda:31"):
        with pytest.raises(UsageError, match="device"):
            again(model, tmp_path, device=missing)


def test_a_class_of_your_own_is_saved_as_its_state(tmp_path: Path, caplog: Any) -> None:
    class Own(hf.BertModel):  # type: ignore[misc,name-defined]
        pass

    model = Own(cases.build("bert").config)
    fresh = Own(model.config)
    assert again(model, tmp_path, into=fresh) == LoadReport()
    assert "is in no table" in caplog.text
    assert torch.equal(model.state_dict()["pooler.dense.bias"], fresh.pooler.dense.bias)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("quantization_config", {"quant_method": "gptq"}, "quantization_config"),
        ("auto_map", {"AutoModel": "theirs.Model"}, "auto_map"),
        ("num_hidden_layers", 3, "can't be built again"),
        ("hidden_act", "no such function", "can't be built again"),
    ],
)
def test_what_would_not_load_is_not_saved(
    tmp_path: Path, field: str, value: Any, words: str
) -> None:
    model = cases.build("bert")
    setattr(model.config, field, value)
    with pytest.raises(UnsavableError, match=words):
        adapters.save(model, tmp_path / "model.safemodel", signer=None)
    assert not (tmp_path / "model.safemodel").exists()


def test_what_is_left_out_is_told(tmp_path: Path, caplog: Any) -> None:
    model = cases.build("bert")
    model.config.my_own_note = "x"
    model.config.task_specific_params = {"qa": {}}  # in old files, and of no meaning
    model.config._attn_implementation_internal = "acme/flash:run"
    loaded = again(model, tmp_path)
    assert "my_own_note" in caplog.text
    assert "task_specific_params" not in caplog.text
    assert "acme/flash" in caplog.text
    assert not hasattr(loaded.config, "my_own_note")
    assert loaded.config._attn_implementation == "sdpa"


def test_fields_that_the_class_does_not_declare_are_kept(tmp_path: Path, caplog: Any) -> None:
    model = cases.build("vit")
    config = type(model.config)(
        **{**cases._PICTURE, "vocab_size": 5, "n_positions": 7, "eos_token_id": 3, "my_extra": 4}
    )
    config.suppress_tokens = [4, 5]  # which the library would take for one of generation
    loaded = again(type(model)(config), tmp_path).config
    assert (loaded.vocab_size, loaded.n_positions, loaded.eos_token_id) == (5, 7, 3)
    assert loaded.suppress_tokens == [4, 5]
    assert "left out of the configuration: my_extra" in caplog.text
    assert loaded.to_dict() | {"my_extra": 4} == config.to_dict() | {"dtype": "float32"}


def test_fields_that_only_the_code_of_a_model_knows_shape_it(tmp_path: Path) -> None:
    sizes = {**cases._GROUPED, "head_dim": 16}
    model = hf.Qwen2ForCausalLM(hf.Qwen2Config(**sizes, is_causal=False)).eval()
    assert model.model.layers[0].self_attn.q_proj.weight.shape == (64, 32)
    loaded = again(model, tmp_path)
    assert (loaded.config.head_dim, loaded.config.is_causal) == (16, False)
    ids = torch.tensor([[5, 6, 7, 8]])
    assert torch.equal(model(ids).logits, loaded(ids).logits)


@pytest.mark.parametrize(
    ("field", "value"), [("head_dim", "16"), ("attention_chunk_size", 2), ("is_causal", [0])]
)
def test_what_is_left_out_is_nothing_that_the_model_reads(
    tmp_path: Path, field: str, value: Any
) -> None:
    model = cases.build("qwen2")
    setattr(model.config, field, value)
    with pytest.raises(UnsavableError, match=f"{field} of the configuration would be lost"):
        adapters.save(model, tmp_path / "model.safemodel", signer=None)


def test_what_was_frozen_stays_frozen(tmp_path: Path) -> None:
    model = cases.build("llama-scaled")  # its head is its embedding
    model.model.embed_tokens.weight.requires_grad_(False)
    model.model.layers[0].requires_grad_(False)
    loaded = again(model, tmp_path)
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    frozen = [name for name, value in model.named_parameters() if not value.requires_grad]
    assert frozen == [name for name, value in loaded.named_parameters() if not value.requires_grad]
    before = {name: value.clone() for name, value in loaded.state_dict().items()}
    assert cases.life("llama-scaled", model) == cases.life("llama-scaled", loaded)
    after = loaded.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed.isdisjoint(frozen)
    assert "model.layers.1.mlp.up_proj.weight" in changed
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight


def test_what_the_class_freezes_can_be_thawed(tmp_path: Path) -> None:
    model = cases.build("wav2vec2")
    assert "frozen" not in architecture(model)
    fixed = hf.WhisperForConditionalGeneration(cases.build("whisper").config)
    positions = fixed.model.encoder.embed_positions.weight
    assert not positions.requires_grad
    assert not again(fixed, tmp_path).model.encoder.embed_positions.weight.requires_grad
    positions.requires_grad_(True)
    assert architecture(fixed)["frozen"] == []
    assert again(fixed, tmp_path).model.encoder.embed_positions.weight.requires_grad


def architecture(model: Any) -> Any:
    from safemodel.adapters import transformers as adapter

    found: Any = adapter.save(model).architecture
    return found["model"]


def test_the_mode_is_the_one_that_was_saved(tmp_path: Path) -> None:
    model = cases.build("bert-labels")
    assert "training" not in architecture(model)
    model.train()
    assert architecture(model)["training"] is True
    loaded = again(model, tmp_path)
    assert all(module.training for module in loaded.modules())
    ids = torch.tensor([[5, 6, 7]])
    torch.manual_seed(3)
    dropped = model(ids).logits
    torch.manual_seed(3)
    assert torch.equal(loaded(ids).logits, dropped)
    model.bert.embeddings.eval()
    loaded = again(model, tmp_path)
    assert [module.training for module in loaded.modules()] == [
        module.training for module in model.modules()
    ]


def test_the_way_to_compute_attention_is_kept(tmp_path: Path) -> None:
    model = cases.build("llama")
    model.set_attn_implementation("eager")
    assert again(model, tmp_path).config._attn_implementation == "eager"


def test_equal_models_give_equal_archives(tmp_path: Path) -> None:
    first = adapters.save(cases.build("clip"), tmp_path / "a.safemodel", signer=None)
    second = adapters.save(cases.build("clip"), tmp_path / "b.safemodel", signer=None)
    assert first == second


def test_backbones_give_the_same_features(tmp_path: Path) -> None:
    config = hf.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 16],
        depths=[1, 1, 1, 1],
        out_features=["stage2", "stage4"],
    )
    model = hf.ResNetBackbone(config).eval()
    loaded = again(model, tmp_path)
    assert loaded.config.out_features == ["stage2", "stage4"]
    picture = torch.ones(1, 3, 32, 32)
    first, second = model(picture).feature_maps, loaded(picture).feature_maps
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_an_archive_of_another_release_says_so(tmp_path: Path, monkeypatch: Any) -> None:
    model = cases.build("bert")
    adapters.save(model, tmp_path / "m.safemodel", signer=None)
    from safemodel.adapters import transformers as adapter
    from safemodel.adapters.huggingface import fields
    from safemodel.errors import ArchitectureError
    from safemodel.trust.policy import UNSIGNED

    newer = {name: kind for name, kind in fields.FIELDS.items() if name != "type_vocab_size"}
    monkeypatch.setattr("safemodel.adapters.transformers.decode_fields.__defaults__", (newer,))
    monkeypatch.setattr(adapter.transformers, "__version__", "9.0")
    with pytest.raises(ArchitectureError, match="type_vocab_size") as caught:
        adapters.load(tmp_path / "m.safemodel", trust=UNSIGNED)
    assert "and 9.0 is installed" in (caught.value.hint or "")


@pytest.mark.slow
def test_every_class_of_the_table_is_built_from_what_is_stored_of_its_configuration() -> None:
    from safemodel.adapters.huggingface.classes import MODELS
    from safemodel.adapters.huggingface.config import decode_fields, encode_fields
    from safemodel.adapters.transformers import building, saving

    made: dict[str, Any] = {}
    for name, entry in MODELS.items():
        kind = building.model_class(name)
        if entry.config not in made:
            config = kind.config_class()
            fields = decode_fields(encode_fields(saving._fields(config, 300_000)), 300_000)
            made[entry.config] = building.make_config(kind.config_class, fields)
            dropped: list[str] = []
            saving._compare(None, config, made[entry.config], fields, dropped)
            assert not dropped, entry.config
        config = copy.deepcopy(made[entry.config])
        if name == "BeitForSemanticSegmentation":
            config.out_indices = [3, 5, 7, 11]
        with building.quiet(), torch.device("meta"):
            kind(config)
