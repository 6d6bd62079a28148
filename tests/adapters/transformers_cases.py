"""Tiny models of Transformers with random weights: how to make each, and what to feed it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
import transformers as hf

Make = Callable[[], Any]
_SMALL: Final[Mapping[str, Any]] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 99,
}
_TOKENS: Final[Mapping[str, Any]] = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
_GROUPED: Final[Mapping[str, Any]] = {**_SMALL, **_TOKENS, "num_key_value_heads": 2}
_PICTURE: Final[Mapping[str, Any]] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
_TWO: Final[Mapping[str, Any]] = {
    **_TOKENS,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "vocab_size": 99,
    "decoder_start_token_id": 1,
}
_WAVES: Final[Mapping[str, Any]] = {
    **_SMALL,
    "vocab_size": 32,
    "conv_dim": (16, 16),
    "conv_kernel": (10, 3),
    "conv_stride": (5, 2),
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "apply_spec_augment": False,
}
_TEXT: Final[Mapping[str, Any]] = {**_SMALL, **_TOKENS, "max_position_embeddings": 16}


@dataclass(frozen=True)
class Case:
    """A model, its inputs, and whether it generates from them."""

    make: Make
    inputs: Callable[[], dict[str, Any]]
    generates: bool = False


def _ids(rows: int = 2, length: int = 8, high: int = 90) -> Any:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(3, high, (rows, length), generator=generator)


def _picture(size: int = 32) -> Any:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(3))


def _text_inputs() -> dict[str, Any]:
    return {"input_ids": _ids(), "attention_mask": torch.ones(2, 8, dtype=torch.int64)}


def _both_inputs() -> dict[str, Any]:
    return {"input_ids": _ids(), "decoder_input_ids": _ids()[:, :5]}


def _wave_inputs() -> dict[str, Any]:
    return {"input_values": torch.randn(1, 400, generator=torch.Generator().manual_seed(3))}


def _speech_inputs() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(3)
    return {
        "input_features": torch.randn(1, 16, 100, generator=generator),
        "decoder_input_ids": _ids(1, 5),
    }


def _seen_and_read() -> dict[str, Any]:
    return {"input_ids": _ids(1), "pixel_values": _picture()}


def _text(make: Make, generates: bool = False) -> Case:
    return Case(make, _text_inputs, generates)


def _seen(make: Make, size: int = 32) -> Case:
    return Case(make, lambda: {"pixel_values": _picture(size)})


_LABELS: Final[Mapping[str, Any]] = {
    "id2label": {0: "good", 1: "bad", 2: "häßlich"},
    "label2id": {"good": 0, "bad": 1, "häßlich": 2},
}
_SCALED: Final[Mapping[str, Any]] = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
    "rope_theta": 5e5,
}


def _frozen() -> Any:
    """A model whose head is its embedding, which is frozen as its first layer is."""
    model = hf.LlamaForCausalLM(hf.LlamaConfig(**_GROUPED, tie_word_embeddings=True))
    model.model.embed_tokens.requires_grad_(False)
    model.model.layers[0].requires_grad_(False)
    return model


CASES: Final[Mapping[str, Case]] = {
    "bert": _text(lambda: hf.BertForMaskedLM(hf.BertConfig(**_SMALL))),
    "bert-labels": _text(
        lambda: hf.BertForSequenceClassification(hf.BertConfig(**_SMALL, **_LABELS))
    ),
    "roberta": _text(lambda: hf.RobertaForTokenClassification(hf.RobertaConfig(**_SMALL))),
    "distilbert": _text(
        lambda: hf.DistilBertModel(
            hf.DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=64, vocab_size=99)
        )
    ),
    "gpt2": _text(
        lambda: hf.GPT2LMHeadModel(
            hf.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=99, n_positions=64, **_TOKENS)
        ),
        generates=True,
    ),
    "llama": _text(lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**_GROUPED)), generates=True),
    "llama-scaled": _text(
        lambda: hf.LlamaForCausalLM(
            hf.LlamaConfig(**_GROUPED, tie_word_embeddings=True, rope_scaling={**_SCALED})
        ),
        generates=True,
    ),
    "llama-frozen": _text(_frozen, generates=True),
    "mistral": _text(
        lambda: hf.MistralForCausalLM(hf.MistralConfig(**_GROUPED, sliding_window=4)),
        generates=True,
    ),
    "mixtral": _text(
        lambda: hf.MixtralForCausalLM(hf.MixtralConfig(**_GROUPED, num_local_experts=4)),
        generates=True,
    ),
    "qwen2": _text(
        lambda: hf.Qwen2ForCausalLM(hf.Qwen2Config(**_GROUPED, tie_word_embeddings=True)),
        generates=True,
    ),
    "t5": Case(
        lambda: hf.T5ForConditionalGeneration(
            hf.T5Config(
                d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=99,
                decoder_start_token_id=0,
            )
        ),
        _both_inputs,
        generates=True,
    ),
    "t5-untied": Case(
        lambda: hf.T5ForConditionalGeneration(
            hf.T5Config(
                d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=99,
                feed_forward_proj="gated-gelu", tie_word_embeddings=False,
                decoder_start_token_id=0,
            )
        ),
        _both_inputs,
    ),
    "bart": Case(
        lambda: hf.BartForConditionalGeneration(hf.BartConfig(**_TWO, max_position_embeddings=64)),
        _both_inputs,
        generates=True,
    ),
    "whisper": Case(
        lambda: hf.WhisperForConditionalGeneration(
            hf.WhisperConfig(
                **_TWO, max_source_positions=50, max_target_positions=32, num_mel_bins=16,
                suppress_tokens=[3], begin_suppress_tokens=[4],
            )
        ),
        _speech_inputs,
    ),
    "wav2vec2": Case(lambda: hf.Wav2Vec2ForCTC(hf.Wav2Vec2Config(**_WAVES)), _wave_inputs),
    "vit": _seen(lambda: hf.ViTForImageClassification(hf.ViTConfig(**_PICTURE))),
    "clip": Case(
        lambda: hf.CLIPModel(
            hf.CLIPConfig(text_config={**_TEXT}, vision_config={**_PICTURE}, projection_dim=16)
        ),
        _seen_and_read,
    ),
}  # fmt: skip

MORE: Final[Mapping[str, Case]] = {
    "albert": _text(lambda: hf.AlbertModel(hf.AlbertConfig(**_SMALL, embedding_size=16))),
    "electra": _text(
        lambda: hf.ElectraForPreTraining(hf.ElectraConfig(**_SMALL, embedding_size=16))
    ),
    "deberta-v2": _text(
        lambda: hf.DebertaV2ForSequenceClassification(
            hf.DebertaV2Config(**_SMALL, relative_attention=True, pos_att_type="p2c|c2p")
        )
    ),
    "modernbert": _text(
        lambda: hf.ModernBertForMaskedLM(
            hf.ModernBertConfig(**_SMALL, **_TOKENS, cls_token_id=1, sep_token_id=2)
        )
    ),
    "big-bird": _text(lambda: hf.BigBirdModel(hf.BigBirdConfig(**_SMALL))),
    "longformer": _text(
        lambda: hf.LongformerModel(hf.LongformerConfig(**_SMALL, attention_window=8))
    ),
    "data2vec": _text(lambda: hf.Data2VecTextModel(hf.Data2VecTextConfig(**_SMALL))),
    "mpnet": _text(lambda: hf.MPNetModel(hf.MPNetConfig(**_SMALL))),
    "gpt-neo": _text(
        lambda: hf.GPTNeoForCausalLM(
            hf.GPTNeoConfig(
                hidden_size=32, num_layers=2, attention_types=[[["global", "local"], 1]],
                num_heads=4, vocab_size=99, **_TOKENS,
            )
        ),
        generates=True,
    ),
    "gpt-neox": _text(lambda: hf.GPTNeoXForCausalLM(hf.GPTNeoXConfig(**_SMALL, **_TOKENS))),
    "gpt-oss": _text(
        lambda: hf.GptOssForCausalLM(
            hf.GptOssConfig(**_GROUPED, head_dim=8, num_local_experts=4)
        )
    ),
    "opt": _text(
        lambda: hf.OPTForCausalLM(
            hf.OPTConfig(
                hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4,
                vocab_size=99, word_embed_proj_dim=32, **_TOKENS,
            )
        ),
        generates=True,
    ),
    "bloom": _text(
        lambda: hf.BloomForCausalLM(
            hf.BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=99, **_TOKENS)
        )
    ),
    "falcon": _text(
        lambda: hf.FalconForCausalLM(
            hf.FalconConfig(
                hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=99, **_TOKENS
            )
        )
    ),
    "qwen3": _text(lambda: hf.Qwen3ForCausalLM(hf.Qwen3Config(**_GROUPED, head_dim=8))),
    "qwen2-moe": _text(
        lambda: hf.Qwen2MoeForCausalLM(
            hf.Qwen2MoeConfig(
                **_GROUPED, num_experts=4, moe_intermediate_size=16,
                shared_expert_intermediate_size=16,
            )
        )
    ),
    "gemma2": _text(lambda: hf.Gemma2ForCausalLM(hf.Gemma2Config(**_GROUPED, head_dim=8))),
    "gemma3": _text(lambda: hf.Gemma3ForCausalLM(hf.Gemma3TextConfig(**_GROUPED, head_dim=8))),
    "phi3": _text(lambda: hf.Phi3ForCausalLM(hf.Phi3Config(**_GROUPED))),
    "olmo2": _text(lambda: hf.Olmo2ForCausalLM(hf.Olmo2Config(**_GROUPED))),
    "m2m": Case(
        lambda: hf.M2M100ForConditionalGeneration(
            hf.M2M100Config(**_TWO, max_position_embeddings=64)
        ),
        _both_inputs,
    ),
    "marian": Case(
        lambda: hf.MarianMTModel(hf.MarianConfig(**_TWO, max_position_embeddings=64)), _both_inputs
    ),
    "hubert": Case(lambda: hf.HubertModel(hf.HubertConfig(**_WAVES)), _wave_inputs),
    "wavlm": Case(lambda: hf.WavLMModel(hf.WavLMConfig(**_WAVES)), _wave_inputs),
    "swin": _seen(
        lambda: hf.SwinForImageClassification(
            hf.SwinConfig(
                embed_dim=16, depths=[1, 1], num_heads=[2, 4], image_size=32, patch_size=4,
                window_size=4,
            )
        )
    ),
    "convnext": _seen(
        lambda: hf.ConvNextForImageClassification(
            hf.ConvNextConfig(hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], image_size=32)
        )
    ),
    "resnet": _seen(
        lambda: hf.ResNetForImageClassification(
            hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1])
        )
    ),
    "dinov2": _seen(
        lambda: hf.Dinov2Model(
            hf.Dinov2Config(
                hidden_size=32, num_hidden_layers=2, num_attention_heads=4, image_size=28,
                patch_size=14,
            )
        ),
        28,
    ),
    "beit": _seen(lambda: hf.BeitForImageClassification(hf.BeitConfig(**_PICTURE))),
    "segformer": _seen(
        lambda: hf.SegformerForSemanticSegmentation(
            hf.SegformerConfig(
                num_encoder_blocks=2, depths=[1, 1], sr_ratios=[4, 2], hidden_sizes=[8, 16],
                patch_sizes=[7, 3], strides=[4, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2],
                decoder_hidden_size=16,
            )
        )
    ),
    "mobilenet": _seen(
        lambda: hf.MobileNetV2ForImageClassification(
            hf.MobileNetV2Config(image_size=32, depth_multiplier=0.25)
        )
    ),
    "siglip": Case(
        lambda: hf.SiglipModel(hf.SiglipConfig(text_config={**_TEXT}, vision_config={**_PICTURE})),
        lambda: {"input_ids": _ids(1, 16), "pixel_values": _picture()},
    ),
}  # fmt: skip
ALL: Final[Mapping[str, Case]] = {**CASES, **MORE}


def build(name: str, seed: int = 0) -> Any:
    """The model of a case, ready to be used."""
    torch.manual_seed(seed)
    return ALL[name].make().eval()


def life(name: str, model: Any) -> list[str]:
    """What a model gives, generates, and gives after one step of training: as digests."""
    case = ALL[name]
    inputs = case.inputs()
    found = [_digest(_first(model(**inputs)))]
    if case.generates:
        text = {key: value for key, value in inputs.items() if not key.startswith("decoder")}
        made = model.generate(**text, max_new_tokens=6, do_sample=False)
        found.append(_digest(made))
    model.train()
    torch.manual_seed(11)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    _first(model(**inputs)).float().square().mean().backward()
    optimizer.step()
    model.eval()
    found.append(_digest(*(value for _, value in sorted(model.state_dict().items()))))
    with torch.no_grad():
        found.append(_digest(_first(model(**inputs))))
    return found


def _first(outputs: Any) -> Any:
    return next(value for value in outputs.values() if isinstance(value, torch.Tensor))


def _digest(*tensors: Any) -> str:
    hasher = hashlib.sha256()
    for tensor in tensors:
        hasher.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        flat = torch.empty(tensor.numel(), dtype=tensor.dtype)
        flat.copy_(tensor.detach().reshape(-1))
        hasher.update(flat.view(torch.uint8).numpy().tobytes())
    return hasher.hexdigest()[:24]
