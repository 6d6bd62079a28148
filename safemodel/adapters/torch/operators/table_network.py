"""Recurrence, attention, losses, quantization.

Schemas as of PyTorch 2.13, without their namespace `aten`; `schema.py` says how a row is read.
"""

from typing import Final

ROWS: Final = """
_ctc_loss(Tensor log_probs, Tensor targets, int[] input_lengths, int[] target_lengths, int
  blank=0, bool zero_infinity=False) -> (Tensor, Tensor)
_ctc_loss.Tensor(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths,
  int blank=0, bool zero_infinity=False) -> (Tensor, Tensor)
_fake_quantize_learnable_per_channel_affine(Tensor self, Tensor scale, Tensor zero_point, int
  axis, int quant_min, int quant_max, float grad_factor=1.) -> Tensor
_fake_quantize_learnable_per_tensor_affine(Tensor self, Tensor scale, Tensor zero_point, int
  quant_min, int quant_max, float grad_factor=1.) -> Tensor
_fake_quantize_per_tensor_affine_cachemask_tensor_qparams(Tensor self, Tensor scale, Tensor
  zero_point, Tensor fake_quant_enabled, int quant_min, int quant_max) -> (Tensor output, Tensor
  mask)
_fused_moving_avg_obs_fq_helper(Tensor self, Tensor observer_on, Tensor fake_quant_on, Tensor(a!)
  running_min, Tensor(b!) running_max, Tensor(c!) scale, Tensor(d!) zero_point, float
  averaging_const, int quant_min, int quant_max, int ch_axis, bool per_row_fake_quant=False, bool
  symmetric_quant=False) -> (Tensor output, Tensor mask)
_make_per_channel_quantized_tensor(Tensor self, Tensor scale, Tensor zero_point, int axis) -> Tensor
_make_per_tensor_quantized_tensor(Tensor self, float scale, int zero_point) -> Tensor
_native_multi_head_attention(Tensor query, Tensor key, Tensor value, int embed_dim, int num_head,
  Tensor qkv_weight, Tensor qkv_bias, Tensor proj_weight, Tensor proj_bias, Tensor? mask=None, bool
  need_weights=True, bool average_attn_weights=True, int? mask_type=None) -> (Tensor, Tensor)
_pack_padded_sequence(Tensor input, Tensor lengths, bool batch_first) -> (Tensor, Tensor)
_pad_packed_sequence(Tensor data, Tensor batch_sizes, bool batch_first, Scalar padding_value, int
  total_length) -> (Tensor, Tensor)
_scaled_dot_product_attention_math(Tensor query, Tensor key, Tensor value, Tensor?
  attn_mask=None, float dropout_p=0., bool is_causal=False, Tensor? dropout_mask=None, *, float?
  scale=None, bool enable_gqa=False) -> (Tensor, Tensor)
_scaled_dot_product_flash_attention_for_cpu(Tensor query, Tensor key, Tensor value, float
  dropout_p=0., bool is_causal=False, *, Tensor? attn_mask=None, float? scale=None) -> (Tensor
  output, Tensor logsumexp)
_thnn_fused_lstm_cell(Tensor input_gates, Tensor hidden_gates, Tensor cx, Tensor?
  input_bias=None, Tensor? hidden_bias=None) -> (Tensor, Tensor, Tensor)
_transformer_encoder_layer_fwd(Tensor src, int embed_dim, int num_heads, Tensor qkv_weight,
  Tensor qkv_bias, Tensor proj_weight, Tensor proj_bias, bool use_gelu, bool norm_first, float eps,
  Tensor norm_weight_1, Tensor norm_bias_1, Tensor norm_weight_2, Tensor norm_bias_2, Tensor
  ffn_weight_1, Tensor ffn_bias_1, Tensor ffn_weight_2, Tensor ffn_bias_2, Tensor? mask=None, int?
  mask_type=None) -> Tensor
binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=1) -> Tensor
binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, Tensor?
  pos_weight=None, int reduction=1) -> Tensor
cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0., int
  reduction=1) -> Tensor
cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt
  ignore_index=-100, float label_smoothing=0.) -> Tensor
ctc_loss.IntList(Tensor log_probs, Tensor targets, int[] input_lengths, int[] target_lengths, int
  blank=0, int reduction=1, bool zero_infinity=False) -> Tensor
ctc_loss.Tensor(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths,
  int blank=0, int reduction=1, bool zero_infinity=False) -> Tensor
dequantize.list(Tensor[] qtensors) -> Tensor[]
dequantize.self(Tensor self) -> Tensor
dequantize.tensor(Tensor qtensor) -> Tensor
dequantize.tensors(Tensor[] tensors) -> Tensor[]
fake_quantize_per_channel_affine(Tensor self, Tensor scale, Tensor zero_point, int axis, int
  quant_min, int quant_max) -> Tensor
fake_quantize_per_channel_affine_cachemask(Tensor self, Tensor scale, Tensor zero_point, int
  axis, int quant_min, int quant_max) -> (Tensor output, Tensor mask)
fake_quantize_per_tensor_affine(Tensor self, float scale, int zero_point, int quant_min, int
  quant_max) -> Tensor
fake_quantize_per_tensor_affine.tensor_qparams(Tensor self, Tensor scale, Tensor zero_point, int
  quant_min, int quant_max) -> Tensor
fake_quantize_per_tensor_affine_cachemask(Tensor self, float scale, int zero_point, int
  quant_min, int quant_max) -> (Tensor output, Tensor mask)
fused_moving_avg_obs_fake_quant(Tensor self, Tensor observer_on, Tensor fake_quant_on, Tensor(a!)
  running_min, Tensor(b!) running_max, Tensor(c!) scale, Tensor(d!) zero_point, float
  averaging_const, int quant_min, int quant_max, int ch_axis, bool per_row_fake_quant=False, bool
  symmetric_quant=False) -> Tensor
gru.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int
  num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)
gru.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float
  dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)
gru_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)
  -> Tensor
hinge_embedding_loss(Tensor self, Tensor target, float margin=1., int reduction=1) -> Tensor
huber_loss(Tensor self, Tensor target, int reduction=1, float delta=1.) -> Tensor
int_repr(Tensor self) -> Tensor
kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor
l1_loss(Tensor self, Tensor target, int reduction=1) -> Tensor
lstm.data(Tensor data, Tensor batch_sizes, Tensor[] hx, Tensor[] params, bool has_biases, int
  num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor, Tensor)
lstm.input(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float
  dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor, Tensor)
lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor?
  b_hh=None) -> (Tensor, Tensor)
margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0., int
  reduction=1) -> Tensor
mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor
multi_margin_loss(Tensor self, Tensor target, Scalar p=1, Scalar margin=1, Tensor? weight=None,
  int reduction=1) -> Tensor
multilabel_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor
multilabel_margin_loss_forward(Tensor self, Tensor target, int reduction) -> (Tensor output,
  Tensor is_target)
multilabel_margin_loss_forward.output(Tensor self, Tensor target, int reduction, *, Tensor(a!)
  output, Tensor(b!) is_target) -> (Tensor(a!), Tensor(b!))
nll_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt
  ignore_index=-100) -> Tensor
nll_loss2d(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt
  ignore_index=-100) -> Tensor
nll_loss2d_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt
  ignore_index) -> (Tensor output, Tensor total_weight)
nll_loss2d_forward.output(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt
  ignore_index, *, Tensor(a!) output, Tensor(b!) total_weight) -> (Tensor(a!), Tensor(b!))
nll_loss_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt ignore_index)
  -> (Tensor output, Tensor total_weight)
nll_loss_forward.output(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt
  ignore_index, *, Tensor(a!) output, Tensor(b!) total_weight) -> (Tensor(a!), Tensor(b!))
nll_loss_nd(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt
  ignore_index=-100) -> Tensor
poisson_nll_loss(Tensor input, Tensor target, bool log_input, bool full, float eps, int
  reduction) -> Tensor
q_scale(Tensor self) -> float
q_zero_point(Tensor self) -> int
quantize_per_channel(Tensor self, Tensor scales, Tensor zero_points, int axis, ScalarType dtype)
  -> Tensor | dtype=qdtype
quantize_per_tensor(Tensor self, float scale, int zero_point, ScalarType dtype) -> Tensor |
  dtype=qdtype
quantize_per_tensor.tensor_qparams(Tensor self, Tensor scale, Tensor zero_point, ScalarType
  dtype) -> Tensor | dtype=qdtype
quantize_per_tensor.tensors(Tensor[] tensors, Tensor scales, Tensor zero_points, ScalarType
  dtype) -> Tensor[] | dtype=qdtype
quantize_per_tensor_dynamic(Tensor self, ScalarType dtype, bool reduce_range) -> Tensor |
  dtype=qdtype
rnn_relu.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int
  num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)
rnn_relu.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float
  dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)
rnn_relu_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor?
  b_hh=None) -> Tensor
rnn_tanh.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int
  num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)
rnn_tanh.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float
  dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)
rnn_tanh_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor?
  b_hh=None) -> Tensor
scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None,
  float dropout_p=0., bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor
smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.) -> Tensor
soft_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor
triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1., float p=2.,
  float eps=9.9999999999999995e-07, bool swap=False, int reduction=1) -> Tensor
"""
