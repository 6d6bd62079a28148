"""Elementwise arithmetic, comparisons and logic.

Schemas as of PyTorch 2.13, without their namespace `aten`; `schema.py` says how a row is read.
"""

from typing import Final

ROWS: Final = """
__and__.Scalar(Tensor self, Scalar other) -> Tensor
__and__.Tensor(Tensor self, Tensor other) -> Tensor
__iand__.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)
__iand__.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
__ior__.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)
__ior__.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
__ixor__.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)
__ixor__.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
__lshift__.Scalar(Tensor self, Scalar other) -> Tensor
__lshift__.Tensor(Tensor self, Tensor other) -> Tensor
__or__.Scalar(Tensor self, Scalar other) -> Tensor
__or__.Tensor(Tensor self, Tensor other) -> Tensor
__rshift__.Scalar(Tensor self, Scalar other) -> Tensor
__rshift__.Tensor(Tensor self, Tensor other) -> Tensor
__xor__.Scalar(Tensor self, Scalar other) -> Tensor
__xor__.Tensor(Tensor self, Tensor other) -> Tensor
_conj(Tensor(a) self) -> Tensor(a)
_conj_physical(Tensor self) -> Tensor
abs(Tensor self) -> Tensor
abs_(Tensor(a!) self) -> Tensor(a!)
absolute(Tensor self) -> Tensor
absolute_(Tensor(a!) self) -> Tensor(a!)
acos(Tensor self) -> Tensor
acos_(Tensor(a!) self) -> Tensor(a!)
acosh(Tensor self) -> Tensor
acosh_(Tensor(a!) self) -> Tensor(a!)
add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor
add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
add_.Scalar(Tensor(a!) self, Scalar other, Scalar alpha=1) -> Tensor(a!)
add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)
addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor
addcdiv_(Tensor(a!) self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor(a!)
addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor
addcmul_(Tensor(a!) self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor(a!)
angle(Tensor self) -> Tensor
arccos(Tensor self) -> Tensor
arccos_(Tensor(a!) self) -> Tensor(a!)
arccosh(Tensor self) -> Tensor
arccosh_(Tensor(a!) self) -> Tensor(a!)
arcsin(Tensor self) -> Tensor
arcsin_(Tensor(a!) self) -> Tensor(a!)
arcsinh(Tensor self) -> Tensor
arcsinh_(Tensor(a!) self) -> Tensor(a!)
arctan(Tensor self) -> Tensor
arctan2(Tensor self, Tensor other) -> Tensor
arctan2_(Tensor(a!) self, Tensor other) -> Tensor(a!)
arctan_(Tensor(a!) self) -> Tensor(a!)
arctanh(Tensor self) -> Tensor
arctanh_(Tensor(a!) self) -> Tensor(a!)
asin(Tensor self) -> Tensor
asin_(Tensor(a!) self) -> Tensor(a!)
asinh(Tensor self) -> Tensor
asinh_(Tensor(a!) self) -> Tensor(a!)
atan(Tensor self) -> Tensor
atan2(Tensor self, Tensor other) -> Tensor
atan2_(Tensor(a!) self, Tensor other) -> Tensor(a!)
atan_(Tensor(a!) self) -> Tensor(a!)
atanh(Tensor self) -> Tensor
atanh_(Tensor(a!) self) -> Tensor(a!)
bitwise_and.Tensor(Tensor self, Tensor other) -> Tensor
bitwise_and_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
bitwise_left_shift.Scalar_Tensor(Scalar self, Tensor other) -> Tensor
bitwise_left_shift.Tensor(Tensor self, Tensor other) -> Tensor
bitwise_left_shift_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
bitwise_not(Tensor self) -> Tensor
bitwise_not_(Tensor(a!) self) -> Tensor(a!)
bitwise_or.Tensor(Tensor self, Tensor other) -> Tensor
bitwise_or_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
bitwise_right_shift.Tensor(Tensor self, Tensor other) -> Tensor
bitwise_right_shift_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
bitwise_xor.Scalar(Tensor self, Scalar other) -> Tensor
bitwise_xor.Tensor(Tensor self, Tensor other) -> Tensor
bitwise_xor_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
ceil(Tensor self) -> Tensor
ceil_(Tensor(a!) self) -> Tensor(a!)
clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor
clamp.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor
clamp_(Tensor(a!) self, Scalar? min=None, Scalar? max=None) -> Tensor(a!)
clamp_.Tensor(Tensor(a!) self, Tensor? min=None, Tensor? max=None) -> Tensor(a!)
clamp_max(Tensor self, Scalar max) -> Tensor
clamp_max.Tensor(Tensor self, Tensor max) -> Tensor
clamp_max_(Tensor(a!) self, Scalar max) -> Tensor(a!)
clamp_max_.Tensor(Tensor(a!) self, Tensor max) -> Tensor(a!)
clamp_min(Tensor self, Scalar min) -> Tensor
clamp_min.Tensor(Tensor self, Tensor min) -> Tensor
clamp_min_(Tensor(a!) self, Scalar min) -> Tensor(a!)
clamp_min_.Tensor(Tensor(a!) self, Tensor min) -> Tensor(a!)
clip(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor
clip.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor
clip_(Tensor(a!) self, Scalar? min=None, Scalar? max=None) -> Tensor(a!)
clip_.Tensor(Tensor(a!) self, Tensor? min=None, Tensor? max=None) -> Tensor(a!)
complex(Tensor real, Tensor imag) -> Tensor
conj(Tensor(a) self) -> Tensor(a)
conj_physical(Tensor self) -> Tensor
conj_physical_(Tensor(a!) self) -> Tensor(a!)
copysign.Scalar(Tensor self, Scalar other) -> Tensor
copysign.Tensor(Tensor self, Tensor other) -> Tensor
copysign_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
cos(Tensor self) -> Tensor
cos_(Tensor(a!) self) -> Tensor(a!)
cosh(Tensor self) -> Tensor
cosh_(Tensor(a!) self) -> Tensor(a!)
deg2rad(Tensor self) -> Tensor
deg2rad_(Tensor(a!) self) -> Tensor(a!)
digamma(Tensor self) -> Tensor
digamma_(Tensor(a!) self) -> Tensor(a!)
div.Scalar(Tensor self, Scalar other) -> Tensor
div.Tensor(Tensor self, Tensor other) -> Tensor
div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor
div_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)
div_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
div_.Tensor_mode(Tensor(a!) self, Tensor other, *, str? rounding_mode) -> Tensor(a!)
divide.Tensor(Tensor self, Tensor other) -> Tensor
divide.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor
divide_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
divide_.Tensor_mode(Tensor(a!) self, Tensor other, *, str? rounding_mode) -> Tensor(a!)
eq.Scalar(Tensor self, Scalar other) -> Tensor
eq.Tensor(Tensor self, Tensor other) -> Tensor
eq_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
erf(Tensor self) -> Tensor
erf_(Tensor(a!) self) -> Tensor(a!)
erfc(Tensor self) -> Tensor
erfc_(Tensor(a!) self) -> Tensor(a!)
erfinv(Tensor self) -> Tensor
erfinv_(Tensor(a!) self) -> Tensor(a!)
exp(Tensor self) -> Tensor
exp2(Tensor self) -> Tensor
exp2_(Tensor(a!) self) -> Tensor(a!)
exp_(Tensor(a!) self) -> Tensor(a!)
expm1(Tensor self) -> Tensor
expm1_(Tensor(a!) self) -> Tensor(a!)
fill.Scalar(Tensor self, Scalar value) -> Tensor
fill.Tensor(Tensor self, Tensor value) -> Tensor
fill_.Scalar(Tensor(a!) self, Scalar value) -> Tensor(a!)
fill_.Tensor(Tensor(a!) self, Tensor value) -> Tensor(a!)
fix(Tensor self) -> Tensor
fix_(Tensor(a!) self) -> Tensor(a!)
float_power.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor
floor(Tensor self) -> Tensor
floor_(Tensor(a!) self) -> Tensor(a!)
floor_divide(Tensor self, Tensor other) -> Tensor
floor_divide_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
fmax(Tensor self, Tensor other) -> Tensor
fmin(Tensor self, Tensor other) -> Tensor
fmod.Scalar(Tensor self, Scalar other) -> Tensor
fmod.Tensor(Tensor self, Tensor other) -> Tensor
fmod_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
frac(Tensor self) -> Tensor
frac_(Tensor(a!) self) -> Tensor(a!)
frexp.Tensor(Tensor self) -> (Tensor mantissa, Tensor exponent)
gcd(Tensor self, Tensor other) -> Tensor
gcd_(Tensor(a!) self, Tensor other) -> Tensor(a!)
ge.Scalar(Tensor self, Scalar other) -> Tensor
ge.Tensor(Tensor self, Tensor other) -> Tensor
ge_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
greater.Tensor(Tensor self, Tensor other) -> Tensor
greater_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
greater_equal.Tensor(Tensor self, Tensor other) -> Tensor
greater_equal_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
gt.Scalar(Tensor self, Scalar other) -> Tensor
gt.Tensor(Tensor self, Tensor other) -> Tensor
gt_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
heaviside(Tensor self, Tensor values) -> Tensor
heaviside_(Tensor(a!) self, Tensor values) -> Tensor(a!)
hypot(Tensor self, Tensor other) -> Tensor
hypot_(Tensor(a!) self, Tensor other) -> Tensor(a!)
i0(Tensor self) -> Tensor
i0_(Tensor(a!) self) -> Tensor(a!)
igamma(Tensor self, Tensor other) -> Tensor
igamma_(Tensor(a!) self, Tensor other) -> Tensor(a!)
igammac(Tensor self, Tensor other) -> Tensor
igammac_(Tensor(a!) self, Tensor other) -> Tensor(a!)
imag(Tensor(a) self) -> Tensor(a)
isclose(Tensor self, Tensor other, float rtol=1.0000000000000001e-05, float atol=1e-08, bool
  equal_nan=False) -> Tensor
isfinite(Tensor self) -> Tensor
isinf(Tensor self) -> Tensor
isnan(Tensor self) -> Tensor
isneginf(Tensor self) -> Tensor
isposinf(Tensor self) -> Tensor
isreal(Tensor self) -> Tensor
lcm(Tensor self, Tensor other) -> Tensor
lcm_(Tensor(a!) self, Tensor other) -> Tensor(a!)
ldexp.Tensor(Tensor self, Tensor other) -> Tensor
ldexp_(Tensor(a!) self, Tensor other) -> Tensor(a!)
le.Scalar(Tensor self, Scalar other) -> Tensor
le.Tensor(Tensor self, Tensor other) -> Tensor
le_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor
lerp.Tensor(Tensor self, Tensor end, Tensor weight) -> Tensor
lerp_.Scalar(Tensor(a!) self, Tensor end, Scalar weight) -> Tensor(a!)
lerp_.Tensor(Tensor(a!) self, Tensor end, Tensor weight) -> Tensor(a!)
less.Tensor(Tensor self, Tensor other) -> Tensor
less_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
less_equal.Tensor(Tensor self, Tensor other) -> Tensor
less_equal_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
lgamma(Tensor self) -> Tensor
lgamma_(Tensor(a!) self) -> Tensor(a!)
log(Tensor self) -> Tensor
log10(Tensor self) -> Tensor
log10_(Tensor(a!) self) -> Tensor(a!)
log1p(Tensor self) -> Tensor
log1p_(Tensor(a!) self) -> Tensor(a!)
log2(Tensor self) -> Tensor
log2_(Tensor(a!) self) -> Tensor(a!)
log_(Tensor(a!) self) -> Tensor(a!)
logaddexp(Tensor self, Tensor other) -> Tensor
logaddexp2(Tensor self, Tensor other) -> Tensor
logical_and(Tensor self, Tensor other) -> Tensor
logical_and_(Tensor(a!) self, Tensor other) -> Tensor(a!)
logical_not(Tensor self) -> Tensor
logical_not_(Tensor(a!) self) -> Tensor(a!)
logical_or(Tensor self, Tensor other) -> Tensor
logical_or_(Tensor(a!) self, Tensor other) -> Tensor(a!)
logical_xor(Tensor self, Tensor other) -> Tensor
logical_xor_(Tensor(a!) self, Tensor other) -> Tensor(a!)
logit(Tensor self, float? eps=None) -> Tensor
logit_(Tensor(a!) self, float? eps=None) -> Tensor(a!)
lt.Scalar(Tensor self, Scalar other) -> Tensor
lt.Tensor(Tensor self, Tensor other) -> Tensor
lt_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor
masked_fill.Tensor(Tensor self, Tensor mask, Tensor value) -> Tensor
masked_fill_.Scalar(Tensor(a!) self, Tensor mask, Scalar value) -> Tensor(a!)
masked_fill_.Tensor(Tensor(a!) self, Tensor mask, Tensor value) -> Tensor(a!)
maximum(Tensor self, Tensor other) -> Tensor
minimum(Tensor self, Tensor other) -> Tensor
mul.Scalar(Tensor self, Scalar other) -> Tensor
mul.Tensor(Tensor self, Tensor other) -> Tensor
mul_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)
mul_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
multiply.Tensor(Tensor self, Tensor other) -> Tensor
multiply_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
mvlgamma(Tensor self, int p) -> Tensor
mvlgamma_(Tensor(a!) self, int p) -> Tensor(a!)
nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor
nan_to_num_(Tensor(a!) self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor(a!)
ne.Scalar(Tensor self, Scalar other) -> Tensor
ne.Tensor(Tensor self, Tensor other) -> Tensor
ne_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
neg(Tensor self) -> Tensor
neg_(Tensor(a!) self) -> Tensor(a!)
negative(Tensor self) -> Tensor
negative_(Tensor(a!) self) -> Tensor(a!)
nextafter(Tensor self, Tensor other) -> Tensor
nextafter_(Tensor(a!) self, Tensor other) -> Tensor(a!)
not_equal.Tensor(Tensor self, Tensor other) -> Tensor
not_equal_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
polar(Tensor abs, Tensor angle) -> Tensor
polygamma(int n, Tensor self) -> Tensor
polygamma_(Tensor(a!) self, int n) -> Tensor(a!)
positive(Tensor(a) self) -> Tensor(a)
pow.Scalar(Scalar self, Tensor exponent) -> Tensor
pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor
pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor
pow_.Tensor(Tensor(a!) self, Tensor exponent) -> Tensor(a!)
rad2deg(Tensor self) -> Tensor
rad2deg_(Tensor(a!) self) -> Tensor(a!)
real(Tensor(a) self) -> Tensor(a)
reciprocal(Tensor self) -> Tensor
reciprocal_(Tensor(a!) self) -> Tensor(a!)
remainder.Scalar(Tensor self, Scalar other) -> Tensor
remainder.Scalar_Tensor(Scalar self, Tensor other) -> Tensor
remainder.Tensor(Tensor self, Tensor other) -> Tensor
remainder_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
resolve_conj(Tensor(a) self) -> Tensor(a)
resolve_neg(Tensor(a) self) -> Tensor(a)
round(Tensor self) -> Tensor
round.decimals(Tensor self, *, int decimals) -> Tensor
round_(Tensor(a!) self) -> Tensor(a!)
round_.decimals(Tensor(a!) self, *, int decimals) -> Tensor(a!)
rsqrt(Tensor self) -> Tensor
rsqrt_(Tensor(a!) self) -> Tensor(a!)
rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor
rsub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
sgn(Tensor self) -> Tensor
sgn_(Tensor(a!) self) -> Tensor(a!)
sigmoid(Tensor self) -> Tensor
sigmoid_(Tensor(a!) self) -> Tensor(a!)
sign(Tensor self) -> Tensor
sign_(Tensor(a!) self) -> Tensor(a!)
signbit(Tensor self) -> Tensor
sin(Tensor self) -> Tensor
sin_(Tensor(a!) self) -> Tensor(a!)
sinc(Tensor self) -> Tensor
sinc_(Tensor(a!) self) -> Tensor(a!)
sinh(Tensor self) -> Tensor
sinh_(Tensor(a!) self) -> Tensor(a!)
sqrt(Tensor self) -> Tensor
sqrt_(Tensor(a!) self) -> Tensor(a!)
square(Tensor self) -> Tensor
square_(Tensor(a!) self) -> Tensor(a!)
sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor
sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
sub_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)
subtract.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor
subtract_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)
tan(Tensor self) -> Tensor
tan_(Tensor(a!) self) -> Tensor(a!)
tanh(Tensor self) -> Tensor
tanh_(Tensor(a!) self) -> Tensor(a!)
true_divide.Tensor(Tensor self, Tensor other) -> Tensor
true_divide_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
trunc(Tensor self) -> Tensor
trunc_(Tensor(a!) self) -> Tensor(a!)
where(Tensor condition) -> Tensor[]
where.Scalar(Tensor condition, Scalar self, Scalar other) -> Tensor
where.ScalarOther(Tensor condition, Tensor self, Scalar other) -> Tensor
where.ScalarSelf(Tensor condition, Scalar self, Tensor other) -> Tensor
where.self(Tensor condition, Tensor self, Tensor other) -> Tensor
xlogy.Tensor(Tensor self, Tensor other) -> Tensor
xlogy_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)
zero_(Tensor(a!) self) -> Tensor(a!)
"""
