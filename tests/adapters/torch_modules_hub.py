"""Models of Transformers made from small configurations, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.export import Dim

from .torch_case import Case

ROWS = {0: Dim("rows", max=64)}
SMALL = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "vocab_size": 30,
    "max_position_embeddings": 32,
}


def ids(length: int = 6, **more: Any) -> Callable[[int], Any]:
    return lambda n: {"input_ids": torch.randint(3, 30, (n, length)), **more}


def masked(n: int) -> Any:
    mask = torch.ones(n, 6, dtype=torch.int64)
    mask[0, 4:] = 0
    return {"input_ids": torch.randint(3, 30, (n, 6)), "attention_mask": mask}


def pair(n: int) -> Any:
    return {
        "input_ids": torch.randint(3, 30, (n, 6)),
        "decoder_input_ids": torch.randint(3, 30, (n, 4)),
    }


def images(n: int) -> Any:
    return {"pixel_values": torch.randn(n, 3, 16, 16)}


def text_and_images(n: int) -> Any:
    return {**ids()(n), **images(n)}


def model(name: str, config: str, **options: Any) -> Callable[[], Any]:
    """Make the model of a class. The library is imported when the first is made."""

    def make() -> Any:
        import transformers

        return getattr(transformers, name)(getattr(transformers, config)(**options))

    return make


def case(build: Any, inputs: Any, *names: str, **options: Any) -> Case:
    dynamic = dict.fromkeys(names, ROWS)
    return Case(build, inputs, dynamic, needs=("transformers",), **options)


T5 = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2, "vocab_size": 30}
BART = {
    "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "vocab_size": 30,
    "max_position_embeddings": 32, "use_cache": False,
}  # fmt: skip
VISION = {
    "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_hidden_layers": 2,
    "image_size": 16, "patch_size": 8,
}  # fmt: skip
TEXT = {**SMALL, "projection_dim": 8, "eos_token_id": 2, "bos_token_id": 1}
GROUPED = {**SMALL, "num_key_value_heads": 1, "use_cache": False}
LLAMA = {**GROUPED, "head_dim": 8}

CASES = {
    "bert": case(
        model("BertForSequenceClassification", "BertConfig", **SMALL), masked,
        "input_ids", "attention_mask",
    ),
    "distilbert": case(
        model(
            "DistilBertForMaskedLM", "DistilBertConfig", dim=16, hidden_dim=24, n_layers=1,
            n_heads=2, vocab_size=30, max_position_embeddings=32,
        ),
        ids(), "input_ids",
    ),
    "roberta": case(
        model("RobertaForTokenClassification", "RobertaConfig", **SMALL), ids(), "input_ids"
    ),
    "electra": case(
        model("ElectraForPreTraining", "ElectraConfig", **SMALL, embedding_size=8), ids(),
        "input_ids",
    ),
    "albert": case(
        model("AlbertModel", "AlbertConfig", **SMALL, embedding_size=8), ids(), "input_ids"
    ),
    "gpt2": case(
        model(
            "GPT2LMHeadModel", "GPT2Config", n_embd=16, n_layer=2, n_head=2, n_positions=32,
            vocab_size=30, use_cache=False, bos_token_id=1, eos_token_id=2,
        ),
        ids(), "input_ids",
    ),
    "llama": case(model("LlamaForCausalLM", "LlamaConfig", **LLAMA), ids(), "input_ids"),
    "mistral": case(model("MistralForCausalLM", "MistralConfig", **LLAMA), ids(), "input_ids"),
    "qwen2": case(
        model("Qwen2ForCausalLM", "Qwen2Config", **GROUPED, tie_word_embeddings=True), ids(),
        "input_ids",
    ),
    "gpt_neox": case(
        model("GPTNeoXForCausalLM", "GPTNeoXConfig", **SMALL, use_cache=False), ids(), "input_ids"
    ),
    "opt": case(
        model(
            "OPTForCausalLM", "OPTConfig", hidden_size=16, ffn_dim=24, num_attention_heads=2,
            num_hidden_layers=1, vocab_size=30, max_position_embeddings=32, word_embed_proj_dim=16,
            use_cache=False,
        ),
        ids(), "input_ids",
    ),
    "t5": case(
        model("T5ForConditionalGeneration", "T5Config", **T5, use_cache=False), pair,
        "input_ids", "decoder_input_ids",
    ),
    "bart": case(
        model("BartForConditionalGeneration", "BartConfig", **BART), pair,
        "input_ids", "decoder_input_ids",
    ),
    "vit": case(model("ViTForImageClassification", "ViTConfig", **VISION), images, "pixel_values"),
    "convnext": case(
        model(
            "ConvNextForImageClassification", "ConvNextConfig", hidden_sizes=[8, 12],
            depths=[1, 1], num_stages=2, image_size=16,
        ),
        images, "pixel_values",
    ),
    "clip": case(
        model(
            "CLIPModel", "CLIPConfig", text_config=TEXT,
            vision_config={**VISION, "projection_dim": 8}, projection_dim=8,
        ),
        text_and_images, "input_ids", "pixel_values",
    ),
}  # fmt: skip
