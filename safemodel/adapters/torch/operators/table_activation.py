"""Activations, dropout, normalization.

Schemas as of PyTorch 2.13, without their namespace `aten`; `schema.py` says how a row is read.
"""

from typing import Final

ROWS: Final = """
_prelu_kernel(Tensor self, Tensor weight) -> Tensor
alpha_dropout(Tensor input, float p, bool train) -> Tensor
alpha_dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)
batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var,
  bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor
celu(Tensor self, Scalar alpha=1.) -> Tensor
celu_(Tensor(a!) self, Scalar alpha=1.) -> Tensor(a!)
dropout(Tensor input, float p, bool train) -> Tensor
dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)
elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor
elu_(Tensor(a!) self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor(a!)
feature_alpha_dropout(Tensor input, float p, bool train) -> Tensor
feature_alpha_dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)
feature_dropout(Tensor input, float p, bool train) -> Tensor
feature_dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)
gelu(Tensor self, *, str approximate="none") -> Tensor
gelu_(Tensor(a!) self, *, str approximate="none") -> Tensor(a!)
glu(Tensor self, int dim=-1) -> Tensor
group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float
  eps=1.0000000000000001e-05, bool cudnn_enabled=True) -> Tensor
hardshrink(Tensor self, Scalar lambd=0.5) -> Tensor
hardsigmoid(Tensor self) -> Tensor
hardsigmoid_(Tensor(a!) self) -> Tensor(a!)
hardswish(Tensor self) -> Tensor
hardswish_(Tensor(a!) self) -> Tensor(a!)
hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor
hardtanh_(Tensor(a!) self, Scalar min_val=-1, Scalar max_val=1) -> Tensor(a!)
instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor?
  running_var, bool use_input_stats, float momentum, float eps, bool cudnn_enabled) -> Tensor
layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float
  eps=1.0000000000000001e-05, bool cudnn_enable=True) -> Tensor
leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor
leaky_relu_(Tensor(a!) self, Scalar negative_slope=0.01) -> Tensor(a!)
log_sigmoid(Tensor self) -> Tensor
log_sigmoid_forward(Tensor self) -> (Tensor output, Tensor buffer)
mish(Tensor self) -> Tensor
mish_(Tensor(a!) self) -> Tensor(a!)
native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)
native_group_norm(Tensor input, Tensor? weight, Tensor? bias, SymInt N, SymInt C, SymInt HxW, int
  group, float eps) -> (Tensor, Tensor, Tensor)
native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float
  eps) -> (Tensor, Tensor, Tensor)
prelu(Tensor self, Tensor weight) -> Tensor
relu(Tensor self) -> Tensor
relu6(Tensor self) -> Tensor
relu6_(Tensor(a!) self) -> Tensor(a!)
relu_(Tensor(a!) self) -> Tensor(a!)
rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor
rrelu(Tensor self, Scalar lower=0.125, Scalar upper=0.33333333333333331, bool training=False,
  Generator? generator=None) -> Tensor
rrelu_(Tensor(a!) self, Scalar lower=0.125, Scalar upper=0.33333333333333331, bool
  training=False, Generator? generator=None) -> Tensor(a!)
rrelu_with_noise(Tensor self, Tensor(b!) noise, Scalar lower=0.125, Scalar
  upper=0.33333333333333331, bool training=False, Generator? generator=None) -> Tensor
selu(Tensor self) -> Tensor
selu_(Tensor(a!) self) -> Tensor(a!)
silu(Tensor self) -> Tensor
silu_(Tensor(a!) self) -> Tensor(a!)
softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor
softshrink(Tensor self, Scalar lambd=0.5) -> Tensor
threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor
threshold_(Tensor(a!) self, Scalar threshold, Scalar value) -> Tensor(a!)
"""
