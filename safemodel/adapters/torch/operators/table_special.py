"""Special functions.

Schemas as of PyTorch 2.13, without their namespace `aten`; `schema.py` says how a row is read.
"""

from typing import Final

ROWS: Final = """
special_airy_ai(Tensor x) -> Tensor
special_bessel_j0(Tensor self) -> Tensor
special_bessel_j1(Tensor self) -> Tensor
special_bessel_y0(Tensor self) -> Tensor
special_bessel_y1(Tensor self) -> Tensor
special_digamma(Tensor self) -> Tensor
special_entr(Tensor self) -> Tensor
special_erf(Tensor self) -> Tensor
special_erfc(Tensor self) -> Tensor
special_erfcx(Tensor self) -> Tensor
special_erfinv(Tensor self) -> Tensor
special_exp2(Tensor self) -> Tensor
special_expit(Tensor self) -> Tensor
special_expm1(Tensor self) -> Tensor
special_gammainc(Tensor self, Tensor other) -> Tensor
special_gammaincc(Tensor self, Tensor other) -> Tensor
special_gammaln(Tensor self) -> Tensor
special_i0(Tensor self) -> Tensor
special_i0e(Tensor self) -> Tensor
special_i1(Tensor self) -> Tensor
special_i1e(Tensor self) -> Tensor
special_log1p(Tensor self) -> Tensor
special_log_ndtr(Tensor self) -> Tensor
special_log_softmax(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor
special_logit(Tensor self, float? eps=None) -> Tensor
special_logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor
special_modified_bessel_i0(Tensor self) -> Tensor
special_modified_bessel_i1(Tensor self) -> Tensor
special_modified_bessel_k0(Tensor self) -> Tensor
special_modified_bessel_k1(Tensor self) -> Tensor
special_multigammaln(Tensor self, int p) -> Tensor
special_ndtr(Tensor self) -> Tensor
special_ndtri(Tensor self) -> Tensor
special_polygamma(int n, Tensor self) -> Tensor
special_psi(Tensor self) -> Tensor
special_round(Tensor self, *, int decimals=0) -> Tensor
special_scaled_modified_bessel_k0(Tensor x) -> Tensor
special_scaled_modified_bessel_k1(Tensor x) -> Tensor
special_sinc(Tensor self) -> Tensor
special_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor
special_spherical_bessel_j0(Tensor x) -> Tensor
special_xlog1py(Tensor self, Tensor other) -> Tensor
special_xlogy(Tensor self, Tensor other) -> Tensor
special_zeta(Tensor self, Tensor other) -> Tensor
"""
