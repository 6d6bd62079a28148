"""What a configuration may say: a closed table of fields, and the kind of value that each takes.

All are plain data. A class of configurations takes those of its own that stand here. What does
not: anything that names code (`auto_map`), a place (`_name_or_path`), another library or a kernel
(`_attn_implementation`), another model by its type (`backbone_config`), or a quantizer. Kinds are
checked in `config.py`; numbers that can become loops or memory are `count` and `length`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_CONFIGURATION: Final = """
    config: mask_decoder_config prompt_encoder_config text_config vision_config
    count: adapter_attn_dim adapter_kernel_size adapter_stride attention_downsample_rate
        auxiliary_channels auxiliary_num_convs block_size chunk_size_feed_forward
        classifier_proj_size codevector_dim conv_pos_kernel_size d_ff d_kv d_model
        decoder_attention_heads decoder_ffn_dim decoder_hidden_size decoder_intermediate_size
        decoder_layers decoder_num_attention_heads decoder_num_hidden_layers decoder_sparse_step
        decoder_vocab_size depth_divisible_by dim embed_dim embedding_size
        encoder_attention_heads encoder_ffn_dim encoder_hidden_size encoder_layers
        encoder_no_repeat_ngram_size encoder_stride ffn_dim ffn_hidden_size
        global_attn_every_n_layers global_block_size head_dim hidden_dim hidden_size
        image_text_hidden_size inner_group_num intermediate_size iou_head_depth
        iou_head_hidden_dim local_radius mask_feature_length mask_feature_min_masks
        mask_input_channels mask_time_length mask_time_min_masks median_filter_width min_depth
        mlp_dim moe_intermediate_size n_embd n_embed n_head n_heads n_inner n_layer n_layers
        no_rope_layer_interval num_adapter_layers num_buckets num_channels num_codevector_groups
        num_codevectors_per_group num_conv_pos_embedding_groups num_conv_pos_embeddings
        num_ctc_classes num_decoder_layers num_encoder_blocks num_experts num_experts_per_tok
        num_hidden_groups num_hidden_layers num_key_value_heads num_kv_heads num_labels
        num_layers num_ln_in_parallel_attn num_local_experts num_mel_bins num_multimask_outputs
        num_negatives num_point_embeddings num_pos_feats num_random_blocks num_stages
        output_channels output_hidden_size output_stride pooler_hidden_size pooler_output_size
        pretraining_tp proj_codevector_dim projection_dim projection_size query_pre_attn_scalar
        relative_attention_num_buckets rotary_dim shared_expert_intermediate_size
        sliding_window_pattern type_vocab_size vocab_size window_size word_embed_proj_dim
        xvector_output_dim
    dtype: dtype torch_dtype
    flag: add_adapter add_cross_attention add_fpn alibi apply_layernorm
        apply_residual_connection_post_layernorm apply_spec_augment attention_bias
        attention_softmax_in_fp32 auxiliary_concat_input bias classifier_bias conv_bias
        conv_pos_batch_norm ctc_zero_infinity decoder_bias deterministic_flash_attn
        do_layer_norm_before do_stable_layer_norm downsample_in_bottleneck
        downsample_in_first_stage enable_bias feat_proj_layer_norm finegrained_output
        first_layer_is_expansion is_causal is_decoder is_encoder_decoder
        layer_norm_elementwise_affine legacy mlp_bias multi_query new_decoder_architecture
        norm_bias norm_pix_loss norm_topk_prob onnx_export output_attentions
        output_hidden_states output_router_logits parallel_attn position_biased_input
        qk_layernorm qkv_bias relative_attention reorder_and_upcast_attn rescale_embeddings
        reshape_hidden_states reshape_last_stage return_dict scale_attention_softmax_in_fp32
        scale_attn_by_inverse_layer_idx scale_attn_weights scale_decoder_outputs
        scale_embedding share_encoder_decoder_embeddings sinusoidal_pos_embds slow_but_exact
        sparse_prediction summary_proj_to_labels summary_use_proj tf_padding
        tie_word_embeddings use_abs_pos use_absolute_embeddings
        use_absolute_position_embeddings use_auxiliary_head use_bias
        use_bidirectional_attention use_cache use_mask_token use_mean_pooling
        use_parallel_residual use_qk_norm use_qkv_bias use_rel_pos use_relative_position_bias
        use_shared_relative_position_bias use_sliding_window use_swiglu_ffn
        use_weighted_layer_sum vision_use_head
    labels: id2label label2id
    length: attention_window local_attention max_2d_position_embeddings max_bucket_distance
        max_position_embeddings max_relative_positions max_source_positions max_target_positions
        max_window_layers n_ctx n_positions original_max_position_embeddings
        relative_attention_max_distance sliding_window
    list: attention_types conv_dim conv_kernel conv_stride depths global_attn_indexes
        hidden_sizes image_size layer_types mlp_only_layers mlp_ratios no_rope_layers
        num_attention_heads num_heads out_features out_indices patch_size patch_sizes
        pool_scales pos_att_type sr_ratios strides tdnn_dilation tdnn_dim tdnn_kernel
    number: activation_dropout attention_dropout attention_multiplier
        attention_probs_dropout_prob attn_logit_softcapping attn_pdrop auxiliary_loss_weight
        classifier_dropout classifier_dropout_prob clip_qkv contrastive_logits_temperature
        decoder_layerdrop depth_multiplier diversity_loss_weight drop_path_rate dropout
        dropout_rate embd_pdrop embed_dropout embedding_dropout embedding_multiplier
        encoder_layerdrop expand_ratio feat_proj_dropout feat_quantizer_dropout final_dropout
        final_logit_softcapping global_rope_theta hidden_dropout hidden_dropout_prob init_std
        initializer_cutoff_factor initializer_factor initializer_range label_smoothing
        layer_norm_eps layer_norm_epsilon layer_scale_init_value layerdrop layerscale_value
        local_rope_theta logit_scale logit_scale_init_value logits_scaling mask_feature_prob
        mask_ratio mask_time_prob mlp_dropout mlp_ratio norm_eps norm_epsilon
        partial_rotary_factor pooler_dropout qa_dropout resid_dropout resid_pdrop
        residual_dropout residual_multiplier rms_norm_eps rope_local_base_freq rope_theta
        rotary_emb_base rotary_pct router_aux_loss_coef router_jitter_noise seq_classif_dropout
        summary_first_dropout summary_last_dropout swiglu_alpha swiglu_limit
    table: rope_parameters rope_scaling
    text: activation activation_function attention_type classifier_activation classifier_pooling
        ctc_loss_reduction encoder_attention_type feat_extract_activation feat_extract_norm
        feed_forward_proj hidden_act hidden_activation layer_type pooler_act pooler_hidden_act
        problem_type summary_activation summary_type
    token: begin_suppress_tokens bos_token_id cls_token_id decoder_start_token_id eos_token_id
        forced_eos_token_id pad_token_id semantic_loss_ignore_index sep_token_id
        sparse_pred_ignore_index suppress_tokens
"""

_GENERATION: Final = """
    flag: do_sample early_stopping is_assistant is_multilingual low_memory
        output_attentions output_hidden_states output_logits output_scores remove_invalid_values
        renormalize_logits return_dict_in_generate return_timestamps token_healing use_cache
    labels: lang_to_id task_to_id
    length: assistant_early_exit assistant_lookbehind encoder_no_repeat_ngram_size max_cache_len
        max_initial_timestamp_index max_length max_matching_ngram_size max_new_tokens min_length
        min_new_tokens no_repeat_ngram_size num_assistant_tokens num_beam_groups num_beams
        num_return_sequences prefill_chunk_size prompt_lookup_num_tokens target_lookbehind top_k
    list: exponential_decay_length_penalty stop_strings
    number: assistant_confidence_threshold assistant_ensemble_weight diversity_penalty
        encoder_repetition_penalty epsilon_cutoff eta_cutoff guidance_scale length_penalty
        max_time min_p penalty_alpha repetition_penalty temperature top_h top_p typical_p
    text: cache_implementation num_assistant_tokens_schedule
    token: alignment_heads bad_words_ids begin_suppress_tokens bos_token_id
        decoder_start_token_id eos_token_id force_words_ids forced_bos_token_id
        forced_decoder_ids forced_eos_token_id no_timestamps_token_id pad_token_id
        prev_sot_token_id suppress_tokens
"""


def _parse(table: str) -> dict[str, str]:
    lines = re.sub(r"\n {8}", " ", table).strip().split("\n")
    rows = (line.strip().partition(": ") for line in lines)
    return {name: kind for kind, _, names in rows for name in names.split()}


FIELDS: Final[Mapping[str, str]] = _parse(_CONFIGURATION)
GENERATION: Final[Mapping[str, str]] = _parse(_GENERATION)

# What a configuration takes though it is no field of its class: numbers of tokens, how older files
# spell a field, or what is worked out from it.
_ARGUMENTS: Final = """
    add_cross_attention global_attn_every_n_layers global_rope_theta is_decoder local_rope_theta
    n_embed num_labels out_features out_indices output_attentions partial_rotary_factor
    pooler_hidden_size rope_local_base_freq rope_scaling rope_theta rotary_emb_base rotary_pct
    scale_decoder_outputs sliding_window_pattern tie_word_embeddings torch_dtype use_cache
"""
ARGUMENTS: Final = frozenset(_ARGUMENTS.split()) | {
    name for name, kind in FIELDS.items() if kind == "token"
}

DTYPES: Final = ("bfloat16", "float16", "float32", "float64")

# Ways to compute attention that are PyTorch's own.
ATTENTION: Final = ("eager", "sdpa")
