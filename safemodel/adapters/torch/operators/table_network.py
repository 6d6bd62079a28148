"""Recurrence, attention, losses, quantization.

Schemas as of PyTorch 2.13, without their namespace `aten`; `schema.py` says how a row is read.
"""

from typing import Final

ROWS: Final = """
_fake_quantize_learnable_per_channel_affine(Tensor self, Tensor scale, Tensor zero_point, int
  axis, int quant_min, int quant_max, float grad_factor=1.) -> Tensor
_fake_quantize_learnable_per_tensor_affine(Tensor self, Tensor scale, Tensor zero_point, int
  quant_min, int quant_max, float grad_factor=1.) -> Tensor
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
gru.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float
  dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)
gru_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)
  -> Tensor
hinge_embedding_loss(Tensor self, Tensor target, float margin=1., int reduction=1) -> Tensor
huber_loss(Tensor self, Tensor target, int reduction=1, float delta=1.) -> Tensor
kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor
l1_loss(Tensor self, Tensor target, int reduction=1) -> Tensor
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
nll_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt
  ignore_index=-100) -> Tensor
nll_loss2d_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt
  ignore_index) -> (Tensor output, Tensor total_weight)
nll_loss_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt ignore_index)
  -> (Tensor output, Tensor total_weight)
nll_loss_nd(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt
  ignore_index=-100) -> Tensor
poisson_nll_loss(Tensor input, Tensor target, bool log_input, bool full, float eps, int
  reduction) -> Tensor
rnn_relu.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float
  dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)
rnn_relu_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor?
  b_hh=None) -> Tensor
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
