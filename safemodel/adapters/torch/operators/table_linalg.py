"""Linear algebra.

Schemas as of PyTorch 2.13, without their namespace `aten`; `schema.py` says how a row is read.
"""

from typing import Final

ROWS: Final = """
_cdist_forward(Tensor x1, Tensor x2, float p, int? compute_mode) -> Tensor
_linalg_det(Tensor A) -> (Tensor result, Tensor LU, Tensor pivots)
_linalg_eigh(Tensor A, str UPLO="L", bool compute_v=True) -> (Tensor eigenvalues, Tensor
  eigenvectors)
_linalg_slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet, Tensor LU, Tensor pivots)
_linalg_solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor
  result, Tensor LU, Tensor pivots, Tensor info)
_linalg_svd(Tensor A, bool full_matrices=False, bool compute_uv=True, *, str? driver=None) ->
  (Tensor U, Tensor S, Tensor Vh)
_pdist_forward(Tensor self, float p=2.) -> Tensor
_trilinear(Tensor i1, Tensor i2, Tensor i3, int[] expand1, int[] expand2, int[] expand3, int[]
  sumdim, int unroll_dim=1) -> Tensor
_weight_norm(Tensor v, Tensor g, int dim=0) -> Tensor
addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor
addbmm_(Tensor(a!) self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) ->
  Tensor(a!)
addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor
addmm_(Tensor(a!) self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor(a!)
addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor
addmv_(Tensor(a!) self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor(a!)
addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor
addr_(Tensor(a!) self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor(a!)
baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor
baddbmm_(Tensor(a!) self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) ->
  Tensor(a!)
bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor
bmm(Tensor self, Tensor mat2) -> Tensor
cdist(Tensor x1, Tensor x2, float p=2., int? compute_mode=None) -> Tensor
chain_matmul(Tensor[] matrices) -> Tensor
cholesky(Tensor self, bool upper=False) -> Tensor
cholesky_inverse(Tensor self, bool upper=False) -> Tensor
cholesky_solve(Tensor self, Tensor input2, bool upper=False) -> Tensor
cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor
cross(Tensor self, Tensor other, int? dim=None) -> Tensor
det(Tensor self) -> Tensor
dot(Tensor self, Tensor tensor) -> Tensor
einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor
ger(Tensor self, Tensor vec2) -> Tensor
inner(Tensor self, Tensor other) -> Tensor
inverse(Tensor self) -> Tensor
kron(Tensor self, Tensor other) -> Tensor
linalg_cholesky(Tensor self, *, bool upper=False) -> Tensor
linalg_cholesky_ex(Tensor self, *, bool upper=False, bool check_errors=False) -> (Tensor L,
  Tensor info)
linalg_cond(Tensor self, Scalar? p=None) -> Tensor
linalg_cond.p_str(Tensor self, str p) -> Tensor | p=ord
linalg_cross(Tensor self, Tensor other, *, int dim=-1) -> Tensor
linalg_det(Tensor A) -> Tensor
linalg_diagonal(Tensor(a) A, *, int offset=0, int dim1=-2, int dim2=-1) -> Tensor(a)
linalg_eig(Tensor self) -> (Tensor eigenvalues, Tensor eigenvectors)
linalg_eigh(Tensor self, str UPLO="L") -> (Tensor eigenvalues, Tensor eigenvectors)
linalg_eigvals(Tensor self) -> Tensor
linalg_eigvalsh(Tensor self, str UPLO="L") -> Tensor
linalg_householder_product(Tensor input, Tensor tau) -> Tensor
linalg_inv(Tensor A) -> Tensor
linalg_inv_ex(Tensor A, *, bool check_errors=False) -> (Tensor inverse, Tensor info)
linalg_ldl_factor(Tensor self, *, bool hermitian=False) -> (Tensor LD, Tensor pivots)
linalg_ldl_factor_ex(Tensor self, *, bool hermitian=False, bool check_errors=False) -> (Tensor
  LD, Tensor pivots, Tensor info)
linalg_lstsq(Tensor self, Tensor b, float? rcond=None, *, str? driver=None) -> (Tensor solution,
  Tensor residuals, Tensor rank, Tensor singular_values)
linalg_lu(Tensor A, *, bool pivot=True) -> (Tensor P, Tensor L, Tensor U)
linalg_lu_factor(Tensor A, *, bool pivot=True) -> (Tensor LU, Tensor pivots)
linalg_lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False) -> (Tensor LU, Tensor
  pivots, Tensor info)
linalg_lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False) -> Tensor
linalg_matmul(Tensor self, Tensor other) -> Tensor
linalg_matrix_exp(Tensor self) -> Tensor
linalg_matrix_power(Tensor self, int n) -> Tensor | n=index
linalg_matrix_rank(Tensor self, float tol, bool hermitian=False) -> Tensor
linalg_matrix_rank.atol_rtol_float(Tensor self, *, float? atol=None, float? rtol=None, bool
  hermitian=False) -> Tensor
linalg_matrix_rank.atol_rtol_tensor(Tensor input, *, Tensor? atol=None, Tensor? rtol=None, bool
  hermitian=False) -> Tensor
linalg_matrix_rank.tol_tensor(Tensor input, Tensor tol, bool hermitian=False) -> Tensor
linalg_multi_dot(Tensor[] tensors) -> Tensor
linalg_pinv(Tensor self, float rcond, bool hermitian=False) -> Tensor
linalg_pinv.atol_rtol_float(Tensor self, *, float? atol=None, float? rtol=None, bool
  hermitian=False) -> Tensor
linalg_pinv.atol_rtol_tensor(Tensor self, *, Tensor? atol=None, Tensor? rtol=None, bool
  hermitian=False) -> Tensor
linalg_pinv.rcond_tensor(Tensor self, Tensor rcond, bool hermitian=False) -> Tensor
linalg_qr(Tensor A, str mode="reduced") -> (Tensor Q, Tensor R)
linalg_slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet)
linalg_solve(Tensor A, Tensor B, *, bool left=True) -> Tensor
linalg_solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor
  result, Tensor info)
linalg_solve_triangular(Tensor self, Tensor B, *, bool upper, bool left=True, bool
  unitriangular=False) -> Tensor
linalg_svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor
  Vh)
linalg_svdvals(Tensor A, *, str? driver=None) -> Tensor
linalg_tensorinv(Tensor self, int ind=2) -> Tensor
linalg_tensorsolve(Tensor self, Tensor other, int[]? dims=None) -> Tensor
linalg_vander(Tensor x, *, SymInt? N=None) -> Tensor
linalg_vecdot(Tensor x, Tensor y, *, int dim=-1) -> Tensor
linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor
logdet(Tensor self) -> Tensor
lu_solve(Tensor self, Tensor LU_data, Tensor LU_pivots) -> Tensor
lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True) ->
  (Tensor P, Tensor L, Tensor U)
matmul(Tensor self, Tensor other) -> Tensor
matrix_exp(Tensor self) -> Tensor
matrix_power(Tensor self, int n) -> Tensor | n=index
mm(Tensor self, Tensor mat2) -> Tensor
mv(Tensor self, Tensor vec) -> Tensor
orgqr(Tensor self, Tensor input2) -> Tensor
ormqr(Tensor self, Tensor input2, Tensor input3, bool left=True, bool transpose=False) -> Tensor
outer(Tensor self, Tensor vec2) -> Tensor
pairwise_distance(Tensor x1, Tensor x2, float p=2., float eps=9.9999999999999995e-07, bool
  keepdim=False) -> Tensor
pdist(Tensor self, float p=2.) -> Tensor
pinverse(Tensor self, float rcond=1.0000000000000001e-15) -> Tensor
qr(Tensor self, bool some=True) -> (Tensor Q, Tensor R)
slogdet(Tensor self) -> (Tensor sign, Tensor logabsdet)
svd(Tensor self, bool some=True, bool compute_uv=True) -> (Tensor U, Tensor S, Tensor V)
tensordot(Tensor self, Tensor other, int[] dims_self, int[] dims_other) -> Tensor
triangular_solve(Tensor self, Tensor A, bool upper=True, bool transpose=False, bool
  unitriangular=False) -> (Tensor solution, Tensor cloned_coefficient)
vander(Tensor x, int? N=None, bool increasing=False) -> Tensor
vdot(Tensor self, Tensor other) -> Tensor
"""
