"""Configurations, templates, YAML: what has a library run or read something is reported."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safemodel.report.model import FileReport, Severity, Status
from safemodel.scan.engine import scan_bytes

TEMPLATES = Path(__file__).parent.parent / "legacy" / "chat_templates"


def scan(content: object) -> FileReport:
    if isinstance(content, str):
        content = content.encode()
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return scan_bytes(raw, "file")


def rules(content: object, at_least: Severity = Severity.INFO) -> set[str]:
    return {f.rule for f in scan(content).findings if f.severity >= at_least}


GADGET = "{{ cycler.__init__.__globals__.os.popen('id').read() }}"

MALICIOUS = [
    ("SM510", {"model_type": "x", "auto_map": {"AutoModel": "modeling_x.XModel"}}),
    ("SM510", {"auto_map": {"AutoModel": "acme/x--modeling_x.XModel"}}),
    ("SM510", {"auto_map": {"AutoTokenizer": ["tokenization_x.X", None]}}),
    ("SM510", {"auto_map": ["tokenization_x.X", None]}),
    ("SM510", {"a": [{"auto_map": {"AutoModel": "modeling_x.X"}}]}),
    ("SM510", {"custom_pipelines": {"do": {"impl": "pipe.Pipe", "pt": ["AutoModel"]}}}),
    ("SM510", {"custom_generate": "acme/generate"}),
    ("SM510", {"_attn_implementation": "acme/kernel:flash"}),
    ("SM510", {"_class_name": ["my_pipeline", "MyPipeline"], "unet": ["diffusers", "U"]}),
    ("SM511", {"_class_name": "StableDiffusionPipeline", "unet": ["subprocess", "Popen"]}),
    ("SM511", {"_class_name": "XPipeline", "scheduler": ["my_scheduler", "Scheduler"]}),
    ("SM511", {"_class_name": "Anything", "scheduler": ["my_scheduler", "Scheduler"]}),
    ("SM511", {"_class_name": "Anything", "other": ["os", "system"]}),
    ("SM511", [{"idx": 0, "name": "0", "path": "", "type": "subprocess.Popen"}]),
    ("SM511", [{"idx": 0, "name": "0", "path": "", "type": "custom_st.Transformer"}]),
    ("SM512", [{"idx": 0, "path": "../x", "type": "sentence_transformers.models.Pooling"}]),
    ("SM511", {"in_features": 1, "activation_function": "os.system"}),
    ("SM511", {"sbert_ce_default_activation_function": "os.abort"}),
    ("SM511", {"sentence_transformers": {"activation_fn": "acme.Identity"}}),
    ("SM511", {"_target_": "os.system", "command": "id"}),
    ("SM511", {"model": {"_target_": "torch.nn.__init__.x"}}),
    ("SM511", {"auto_mapping": {"base_model_class": "X", "parent_library": "antigravity"}}),
    ("SM512", {"weight_map": {"a": "../x.bin"}}),
    ("SM512", {"weight_map": {"a": "/etc/x.bin"}}),
    ("SM512", {"weight_map": {"a": "C:\\x.bin"}}),
    ("SM512", {"weight_map": {"a": "https://example.org/x.bin"}}),
    ("SM512", {"weightsManifest": [{"paths": ["..\\x"]}]}),
    ("SM518", {"_meta_": {}, "x": "$__import__('os').system('id')"}),
    ("SM518", {"x": {"_target_": "UNet", "y": ["$import os"]}}),
    ("SM501", {"chat_template": GADGET}),
    (
        "SM501",
        {
            "chat_template": [
                {"name": "a", "template": "{{ x }}"},
                {"name": "b", "template": GADGET},
            ]
        },
    ),
    ("SM501", {"chat_template": {"default": "{{ x }}", "rag": GADGET}}),
    ("SM501", {"processor": {"chat_template": GADGET}}),
    ("SM504", {"chat_template": "{% include 'x' %}"}),
    ("SM501", "{% for message in messages %}{{ message.role }}{% endfor %}" + GADGET),
    ("SM501", GADGET),
    ("SM501", "{{ ''['__cl' ~ 'ass__'] }}{{ messages.role }}"),
    ("SM501", "\ufeff  {{ messages[0].role.__class__ }}"),
    ("SM501", "{{ cycler[x ~ 'y'] }}"),
    ("SM501", "{{ ''['%c%c' % (95, 95)] }}"),
    ("SM501", {"weight_map": {}, "x": GADGET}),
    ("SM501", {"y": {}, "x": GADGET}),
    ("SM516", "a: !!python/object/apply:os.system ['id']"),
    ("SM516", "a: !!python/object/new:acme.X {}"),
    ("SM516", "a: !<tag:yaml.org,2002:python/object/apply:os.system> ['id']"),
    ("SM516", "a: !!%70ython/object/apply:os.system ['id']"),
    ("SM516", "%TAG !x! tag:yaml.org,2002:python/object/apply:\n---\na: !x!os.system ['id']"),
    ("SM516", "a: !!python/module:antigravity"),
    ("SM516", "a: !!python/name:os.system"),
    ("SM511", "flavors:\n  python_function:\n    loader_module: antigravity\n"),
    ("SM511", 'flavors:\n  python_function: {"loader_module": "antigravity"}\n'),
]


@pytest.mark.parametrize(("rule", "content"), MALICIOUS, ids=range(len(MALICIOUS)))
def test_malicious(rule: str, content: object) -> None:
    assert rule in rules(content, Severity.HIGH)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings(encoding: str) -> None:
    content = json.dumps({"auto_map": {"AutoModel": "modeling_x.XModel"}}).encode(encoding)
    assert "SM510" in rules(content)


def test_escaped_keys() -> None:
    assert "SM510" in rules(rb'{"\u0061uto_map": {"AutoModel": "modeling_x.XModel"}}')
    assert "SM510" in rules(rb'{"auto\u005fmap": {"AutoModel": "modeling_x.XModel"}}')


def test_the_overwritten_value_counts() -> None:
    content = b'{"auto_map": {"AutoModel": "x.Y"}, "auto_map": {}}'
    assert rules(content) == {"SM510", "SM513"}
    content = b'{"chat_template": "{{ a.__class__ }}", "chat_template": "{{ a }}"}'
    assert rules(content) == {"SM501", "SM505"}
    content = b'{"x": {"auto_map": {"AutoModel": "x.Y"}}, "x": {"auto_map": {}}}'
    assert "SM510" in rules(content)


def test_two_templates_of_one_name() -> None:
    item = {"name": "default", "template": "{{ x }}"}
    assert rules({"chat_template": [item, item]}) == {"SM505"}


def test_what_is_said() -> None:
    (finding,) = scan({"auto_map": {"AutoModel": "acme/x--a.modeling_x.XModel"}}).findings
    assert finding.message == "auto_map runs XModel of a/modeling_x.py of the repository acme/x"
    (finding,) = scan({"chat_template": "{{ a }}\n{{ a.__class__ }}"}).findings
    assert finding.message == "chat_template: line 2: looks up the attribute __class__"
    assert ("line", "2") in finding.evidence


BENIGN: list[Any] = [
    {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "torch_dtype": "bfloat16",
        "hidden_act": "silu",
        "_name_or_path": "/home/me/x",
        "_attn_implementation": "sdpa",
    },
    {"model_type": "gpt2", "activation_function": "gelu_new", "transformers_version": "4.57.0"},
    {
        "metadata": {"total_size": 1},
        "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "unet/model.bin"},
    },
    {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.30.0",
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "vae": ["diffusers", "AutoencoderKL"],
        "image_encoder": [None, None],
        "requires_safety_checker": True,
    },
    {
        "_class_name": "UNet2DModel",
        "_diffusers_version": "0.30.0",
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
        "block_out_channels": [1, 2],
    },
    {"_class_name": "DDIMScheduler", "_diffusers_version": "0.8.0", "beta_start": 0.1},
    [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {
            "idx": 1,
            "name": "1",
            "path": "1_Pooling",
            "type": "sentence_transformers.models.Pooling",
        },
        {"idx": 2, "name": "2", "path": "2_Dense", "type": "pylate.models.Dense.Dense"},
    ],
    {
        "in_features": 768,
        "out_features": 128,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    },
    {
        "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity",
        "model_type": "bert",
    },
    {
        "base_model_name_or_path": "meta-llama/Llama-3.1-8B",
        "auto_mapping": None,
        "peft_type": "LORA",
    },
    {
        "base_model_name_or_path": "/workspace/models/x",
        "auto_mapping": {
            "base_model_class": "LlamaModel",
            "parent_library": "transformers.models.llama.modeling_llama",
        },
    },
    {"auto_mapping": {"base_model_class": "MyNet", "parent_library": "__main__"}},
    {"_target_": "torch.nn.Linear", "in_features": 1},
    {"auto_map": {}, "model_type": "x"},
    {"idx": 1, "type": "a.b"},
    [{"idx": 1, "price": "$5"}],
    {"price": "$5", "a": ["$x"]},
    {"format": "layers-model", "weightsManifest": [{"paths": ["group1-shard1of1.bin"]}]},
    {"version": "1.0", "model": {"type": "BPE", "vocab": {"Ġa": 1}}},
    {
        "chat_template": None,
        "tokenizer_class": "GPT2Tokenizer",
        "added_tokens_decoder": {"0": {"content": "<s>"}},
    },
    {
        "chat_template": [
            {"name": "default", "template": "{{ bos_token }}"},
            {"name": "rag", "template": "{{ documents }}"},
        ]
    },
    "a: !!python/tuple [1, 2]\nb: !!python/name:builtins.str\n",
    "x: !!binary aGk=\n",
    "artifact_path: m\nflavors:\n  python_function:\n    loader_module: mlflow.sklearn",
    "<html>{% extends 'base.html' %}{% if messages %}{{ m.content }}{% endif %}{{ user._id }}",
    "# Readme\n\nUse `{{ name }}` and {% raw %}{{ x }}{% endraw %}.",
    "on: push\njobs: ${{ secrets.TOKEN }}",
    "{{ foo['bar_' ~ baz] }} {{ x._y }} {{ form.file() }}",
    "{{ url_for('static') }} {{ config.X }} {% extends 'x' %}",
    "just a text!! with {{ and {%",
    '{"a": 1}\n{"chat_template": 2}\n',
    "{'chat_template': 1}",
    "",
]


@pytest.mark.parametrize("content", BENIGN, ids=range(len(BENIGN)))
def test_benign(content: object) -> None:
    assert scan(content).findings == ()


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.jinja")), ids=lambda path: path.stem)
def test_real_templates_in_every_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    alone = scan_bytes(text.encode(), str(path))
    assert (alone.formats, alone.findings, alone.status) == (("jinja",), (), Status.SCANNED)
    inside = scan({"tokenizer_class": "X", "chat_template": text, "bos_token": "<s>"})
    assert (inside.formats, inside.findings) == (("json",), ())


def test_status() -> None:
    assert scan({"model_type": "llama"}).status is Status.SCANNED
    assert scan({"some": "data"}).status is Status.SKIPPED
    assert scan("text").status is Status.SKIPPED
    assert scan(b'{"chat_template": ').status is Status.UNREAD
    assert scan(b'{"auto_map": ' + b"[" * 9000).status is Status.UNREAD
    assert scan({"irVersion": "8", "graph": {}}).status is Status.UNREAD
    assert scan({"chat_template": "{% if %}"}).status is Status.UNREAD


def test_many_bad_names_are_bounded() -> None:
    found = scan({"weight_map": {str(n): f"../{n}" for n in range(5000)}}).findings
    assert len(found) == 20


@settings(max_examples=100)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        *("auto_map", "chat_template", "weight_map", "_class_name", "type", "idx"),
                        *(
                            "auto_mapping",
                            "_target_",
                            "_meta_",
                            "class_name",
                            "config",
                            "custom_generate",
                        ),
                        *("custom_pipelines", "weightsManifest", "name", "template", "unet"),
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_tree(tree: object) -> None:
    assert not any(finding.rule == "SM909" for finding in scan(tree).findings)


@settings(max_examples=100)
@given(st.text(alphabet="{}%!<>:/[]'\"\n -pythonagx._0~|", max_size=60))
def test_any_text(text: str) -> None:
    assert not any(finding.rule == "SM909" for finding in scan(text).findings)


def test_large_texts_in_streams_are_data() -> None:
    """What is no configuration is gone over, not kept, and is not unread."""
    for text in (b'{"a": "{{ b }}"}' + b" " * (1 << 20), b"{{ x }} !! python_function" * 100_000):
        report = scan_bytes(gzip.compress(text), "file.gz")
        assert (report.findings, report.status) == ((), Status.SCANNED)
    config = json.dumps({"auto_map": {"AutoModel": "x.Y"}}).encode()
    assert {f.rule for f in scan_bytes(gzip.compress(config), "file.gz").findings} == {"SM510"}
    gadget = gzip.compress(GADGET.encode())
    assert {f.rule for f in scan_bytes(gadget, "file.gz").findings} == {"SM501"}
