"""Language models: GGUF, safetensors, chat templates, folders as on a hub."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from .corpus import Corpus, Group

TEMPLATES = sorted((Path(__file__).parent / "templates").glob("*.jinja"))


def _gguf(path: str, template: str | None, **options: Any) -> None:
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, "llama", endianess=options.get("order", gguf.GGUFEndian.LITTLE))
    writer.add_name("a model")
    writer.add_description("made by a test")
    writer.add_context_length(128)
    writer.add_embedding_length(8)
    writer.add_block_count(1)
    writer.add_head_count(2)
    writer.add_rope_freq_base(10000.0)
    writer.add_quantization_version(2)
    words = ["<unk>", "<s>", "</s>", *(f"▁word{i}" for i in range(500))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([0.0] * len(words))
    writer.add_token_types([1] * len(words))
    writer.add_token_merges(["a b", "ab c"])
    writer.add_bos_token_id(1)
    writer.add_add_bos_token(True)
    if template is not None:
        writer.add_chat_template(options.get("templates", template))
    rng = np.random.RandomState(0)
    writer.add_tensor("token_embd.weight", rng.rand(len(words), 8).astype("f4"))
    writer.add_tensor("blk.0.attn_q.weight", rng.rand(8, 8).astype("f2"))
    quantized = gguf.quants.quantize(rng.rand(4, 32).astype("f4"), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.ffn.weight", quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_files(corpus: Corpus) -> None:
    import gguf

    corpus.add("plain.gguf", lambda path: _gguf(path, None), "gguf")
    for template in TEMPLATES:
        text = template.read_text()
        corpus.add(f"{template.stem}.gguf", lambda path, t=text: _gguf(path, t), "gguf")
    several = [{"name": t.stem, "template": t.read_text()} for t in TEMPLATES[:3]]
    several.append({"name": "default", "template": TEMPLATES[0].read_text()})
    corpus.add("several.gguf", lambda path: _gguf(path, "", templates=several), "gguf")
    big = gguf.GGUFEndian.BIG
    corpus.add("big-endian.gguf", lambda path: _gguf(path, None, order=big), "gguf")


def safetensors_files(corpus: Corpus) -> None:
    import numpy as np
    from safetensors.numpy import save

    rng = np.random.RandomState(0)
    tensors = {
        "a": {"w": rng.rand(4, 3).astype("f4"), "b": np.zeros(3, "f2"), "i": np.arange(4)},
        "empty": {},
        "zero": {"z": np.zeros((0, 3), "f4"), "s": np.array(1.0)},
        "many": {f"layer.{i}.weight": rng.rand(2, 2) for i in range(200)},
    }
    for name, values in tensors.items():
        corpus.add(f"{name}.safetensors", save(values), "safetensors")
    corpus.add(
        "described.safetensors", save(tensors["a"], {"format": "pt", "card": "text"}), "safetensors"
    )
    metadata = {"ss_tag_frequency": json.dumps({"img": {"a tag": 3}}), "modelspec.title": "LoRA"}
    corpus.add("lora.safetensors", save(tensors["a"], metadata), "safetensors")


CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 8,
    "model_type": "llama",
    "num_hidden_layers": 1,
    "rope_scaling": None,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.45.0",
    "vocab_size": 503,
    "_name_or_path": "acme/base",
}
GENERATION = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "eos_token_id": [2, 3]}
CARD = """---
license: apache-2.0
library_name: transformers
tags: [text-generation]
---
# A model

```python
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained("acme/chat")
```
"""


def _tokenizer(template: Any) -> dict[str, Any]:
    return {
        "add_bos_token": True,
        "added_tokens_decoder": {"0": {"content": "<unk>", "special": True}},
        "bos_token": "<s>",
        "chat_template": template,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1000000000000000019884624838656,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _repository(folder: Path, template: Any, *, weights: str) -> None:
    """A folder as people download them."""
    import numpy as np

    folder.mkdir(parents=True)
    for name, content in (
        ("config.json", CONFIG),
        ("generation_config.json", GENERATION),
        ("tokenizer_config.json", _tokenizer(template)),
        ("special_tokens_map.json", {"bos_token": "<s>", "eos_token": {"content": "</s>"}}),
        ("vocab.json", {f"word{i}": i for i in range(50)}),
        ("tokenizer.json", _tokenizer_json()),
    ):
        (folder / name).write_text(json.dumps(content, indent=2))
    (folder / "README.md").write_text(CARD)
    (folder / "merges.txt").write_text("#version: 0.2\na b\n")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
    tensors = {"model.embed.weight": np.ones((4, 8), "f4"), "lm_head.weight": np.ones((4, 8), "f4")}
    if weights == "safetensors":
        from safetensors.numpy import save_file

        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    elif weights == "shards":
        from safetensors.numpy import save_file

        names = {}
        for number, (name, tensor) in enumerate(tensors.items(), 1):
            shard = f"model-{number:05}-of-00002.safetensors"
            save_file({name: tensor}, folder / shard, {"format": "pt"})
            names[name] = shard
        index = {"metadata": {"total_size": 256}, "weight_map": names}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    else:
        import torch

        torch.save(
            {k: torch.from_numpy(v) for k, v in tensors.items()}, folder / "pytorch_model.bin"
        )


def _tokenizer_json() -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": None,
        "added_tokens": [{"id": 0, "content": "<unk>", "special": True}],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "post_processor": None,
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
    }


def folders(corpus: Corpus) -> None:
    """Repositories with each of the templates, and weights in every form."""
    kinds = ("safetensors", "shards", "torch")
    for index, template in enumerate(TEMPLATES):
        text = template.read_text()
        form: Any = text
        if index % 4 == 1:
            form = [{"name": "default", "template": text}, {"name": "tool_use", "template": text}]
        weights = kinds[index % 3]
        expect = "torch_zip" if weights == "torch" else "safetensors"
        corpus.add(
            f"{template.stem}",
            lambda p, f=form, w=weights: _repository(Path(p), f, weights=w),
            expect,
        )
        if index % 3 == 0:
            (corpus.folder / template.stem / "chat_template.jinja").write_text(text)
    for template in TEMPLATES[:4]:
        config = json.dumps(_tokenizer(template.read_text())).encode()
        corpus.add(f"{template.stem}/alone/tokenizer_config.json", config, "")


def adapters(corpus: Corpus) -> None:
    """A LoRA adapter, a sentence encoder with a pickle, and a scikit-learn repository."""
    import numpy as np
    from safetensors.numpy import save
    from sklearn.linear_model import LogisticRegression

    config = {
        "peft_type": "LORA",
        "r": 4,
        "target_modules": ["q_proj"],
        "base_model_name_or_path": "x",
    }
    tensors = {"base.q_proj.lora_A.weight": np.ones((4, 8), "f4")}
    corpus.add("lora", lambda p: _write(p, {
        "adapter_config.json": json.dumps(config).encode(),
        "adapter_model.safetensors": save(tensors, {"format": "pt"}),
        "README.md": CARD.encode(),
    }), "safetensors")  # fmt: skip
    model = LogisticRegression().fit(np.eye(4), [0, 1, 0, 1])
    corpus.add("sklearn", lambda p: _write(p, {
        "config.json": json.dumps({"sklearn": {"columns": ["a"]}}).encode(),
        "model.pkl": pickle.dumps(model),
        "README.md": CARD.encode(),
        "requirements.txt": b"scikit-learn\n",
        ".git/config": b"[core]\n",
    }), "pickle")  # fmt: skip
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
    ]
    corpus.add("sentences", lambda p: _write(p, {
        "modules.json": json.dumps(modules).encode(),
        "config.json": json.dumps({"model_type": "bert"}).encode(),
        "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
        "model.safetensors": save(tensors, {"format": "pt"}),
        "vocab.txt": b"[PAD]\n[UNK]\nthe\n",
    }), "safetensors")  # fmt: skip


def _write(path: str, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        file = Path(path) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


GROUPS = {
    "gguf": Group(gguf_files, ("gguf",), len(TEMPLATES) + 3),
    "safetensors": Group(safetensors_files, ("safetensors",), 6),
    "folders": Group(folders, ("safetensors", "torch"), len(TEMPLATES) + 4),
    "adapters": Group(adapters, ("safetensors", "sklearn"), 3),
}
