"""Views, joining, splitting, padding, conversions.

Schemas as of PyTorch 2.13, without their namespace `aten`; `schema.py` says how a row is read.
"""

from typing import Final

ROWS: Final = """
_chunk_cat(Tensor[] tensors, int dim, int num_chunks) -> Tensor
_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool?
  pin_memory=None, bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor
adjoint(Tensor(a) self) -> Tensor(a)
alias(Tensor(a) self) -> Tensor(a)
alias_copy(Tensor self) -> Tensor
atleast_1d(Tensor self) -> Tensor
atleast_1d.Sequence(Tensor[] tensors) -> Tensor[]
atleast_2d(Tensor self) -> Tensor
atleast_2d.Sequence(Tensor[] tensors) -> Tensor[]
atleast_3d(Tensor self) -> Tensor
atleast_3d.Sequence(Tensor[] tensors) -> Tensor[]
block_diag(Tensor[] tensors) -> Tensor
broadcast_tensors(Tensor[] tensors) -> Tensor[]
broadcast_to(Tensor(a) self, SymInt[] size) -> Tensor(a)
cartesian_prod(Tensor[] tensors) -> Tensor
cat(Tensor[] tensors, int dim=0) -> Tensor
chalf(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor
channel_shuffle(Tensor self, SymInt groups) -> Tensor
chunk(Tensor(a -> *) self, int chunks, int dim=0) -> Tensor(a)[]
clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor
column_stack(Tensor[] tensors) -> Tensor
combinations(Tensor self, int r=2, bool with_replacement=False) -> Tensor
concat(Tensor[] tensors, int dim=0) -> Tensor
concatenate(Tensor[] tensors, int dim=0) -> Tensor
constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor
contiguous(Tensor(a) self, *, MemoryFormat memory_format=0) -> Tensor(a)
copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)
cumulative_trapezoid.dx(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor
cumulative_trapezoid.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor
detach(Tensor(a) self) -> Tensor(a)
detach_(Tensor(a!) self) -> Tensor(a!)
diag(Tensor self, int diagonal=0) -> Tensor | diagonal=offset
diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor | offset=offset
diagflat(Tensor self, int offset=0) -> Tensor | offset=offset
diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)
diagonal_copy(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor
diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor
dsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]
dsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]
dstack(Tensor[] tensors) -> Tensor
expand(Tensor(a) self, SymInt[] size, *, bool implicit=False) -> Tensor(a)
expand_as(Tensor(a) self, Tensor other) -> Tensor(a)
expand_copy(Tensor self, SymInt[] size, *, bool implicit=False) -> Tensor
fill_diagonal_(Tensor(a!) self, Scalar fill_value, bool wrap=False) -> Tensor(a!)
flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)
flip(Tensor self, int[] dims) -> Tensor
fliplr(Tensor self) -> Tensor
flipud(Tensor self) -> Tensor
hsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]
hsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]
hstack(Tensor[] tensors) -> Tensor
lift_fresh(Tensor(a) self) -> Tensor(a)
lift_fresh_copy(Tensor self) -> Tensor
mH(Tensor(a) self) -> Tensor(a)
mT(Tensor(a) self) -> Tensor(a)
matrix_H(Tensor(a) self) -> Tensor(a)
meshgrid(Tensor[] tensors) -> Tensor[]
meshgrid.indexing(Tensor[] tensors, *, str indexing) -> Tensor[]
moveaxis.int(Tensor(a) self, int source, int destination) -> Tensor(a)
moveaxis.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)
movedim.int(Tensor(a) self, int source, int destination) -> Tensor(a)
movedim.intlist(Tensor(a) self, int[] source, int[] destination) -> Tensor(a)
narrow(Tensor(a) self, int dim, SymInt start, SymInt length) -> Tensor(a)
narrow.Tensor(Tensor(a) self, int dim, Tensor start, SymInt length) -> Tensor(a)
narrow_copy(Tensor self, int dim, SymInt start, SymInt length) -> Tensor
numpy_T(Tensor(a) self) -> Tensor(a)
pad(Tensor self, SymInt[] pad, str mode="constant", float? value=None) -> Tensor | mode=pad_mode
permute(Tensor(a) self, int[] dims) -> Tensor(a)
permute_copy(Tensor self, int[] dims) -> Tensor
pixel_shuffle(Tensor self, int upscale_factor) -> Tensor
pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor
ravel(Tensor(a) self) -> Tensor(a)
reflection_pad1d(Tensor self, SymInt[2] padding) -> Tensor | padding=pad
reflection_pad2d(Tensor self, SymInt[4] padding) -> Tensor | padding=pad
reflection_pad3d(Tensor self, SymInt[6] padding) -> Tensor | padding=pad
repeat(Tensor self, SymInt[] repeats) -> Tensor
replication_pad1d(Tensor self, SymInt[2] padding) -> Tensor | padding=pad
replication_pad2d(Tensor self, SymInt[4] padding) -> Tensor | padding=pad
replication_pad3d(Tensor self, SymInt[6] padding) -> Tensor | padding=pad
reshape(Tensor(a) self, SymInt[] shape) -> Tensor(a)
reshape_as(Tensor(a) self, Tensor other) -> Tensor(a)
roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor
rot90(Tensor self, int k=1, int[] dims=[0, 1]) -> Tensor | k=index
row_stack(Tensor[] tensors) -> Tensor
select.int(Tensor(a) self, int dim, SymInt index) -> Tensor(a)
select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor
slice.Tensor(Tensor(a) self, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) ->
  Tensor(a)
slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? end=None, SymInt
  step=1) -> Tensor
split.Tensor(Tensor(a -> *) self, SymInt split_size, int dim=0) -> Tensor(a)[]
split.sizes(Tensor(a -> *) self, SymInt[] split_size, int dim=0) -> Tensor(a)[]
split_with_sizes(Tensor(a -> *) self, SymInt[] split_sizes, int dim=0) -> Tensor(a)[]
split_with_sizes_copy(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]
squeeze(Tensor(a) self) -> Tensor(a)
squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)
squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)
squeeze_(Tensor(a!) self) -> Tensor(a!)
squeeze_.dim(Tensor(a!) self, int dim) -> Tensor(a!)
squeeze_.dims(Tensor(a!) self, int[] dim) -> Tensor(a!)
squeeze_copy(Tensor self) -> Tensor
squeeze_copy.dim(Tensor self, int dim) -> Tensor
stack(Tensor[] tensors, int dim=0) -> Tensor
swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a)
swapaxes_(Tensor(a!) self, int axis0, int axis1) -> Tensor(a!)
swapdims(Tensor(a) self, int dim0, int dim1) -> Tensor(a)
swapdims_(Tensor(a!) self, int dim0, int dim1) -> Tensor(a!)
t(Tensor(a) self) -> Tensor(a)
t_(Tensor(a!) self) -> Tensor(a!)
t_copy(Tensor self) -> Tensor
tensor_split.indices(Tensor(a -> *) self, SymInt[] indices, int dim=0) -> Tensor(a)[]
tensor_split.sections(Tensor(a -> *) self, SymInt sections, int dim=0) -> Tensor(a)[]
tensor_split.tensor_indices_or_sections(Tensor(a -> *) self, Tensor tensor_indices_or_sections,
  int dim=0) -> Tensor(a)[]
tile(Tensor self, SymInt[] dims) -> Tensor | dims=times
to.device(Tensor(a) self, Device device, ScalarType dtype, bool non_blocking=False, bool
  copy=False, MemoryFormat? memory_format=None) -> Tensor(a)
to.dtype(Tensor(a) self, ScalarType dtype, bool non_blocking=False, bool copy=False,
  MemoryFormat? memory_format=None) -> Tensor(a)
to.dtype_layout(Tensor(a) self, *, ScalarType? dtype=None, Layout? layout=None, Device?
  device=None, bool? pin_memory=None, bool non_blocking=False, bool copy=False, MemoryFormat?
  memory_format=None) -> Tensor(a)
to.other(Tensor(a) self, Tensor other, bool non_blocking=False, bool copy=False, MemoryFormat?
  memory_format=None) -> Tensor(a)
trace(Tensor self) -> Tensor
transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)
transpose_(Tensor(a!) self, int dim0, int dim1) -> Tensor(a!)
transpose_copy.int(Tensor self, int dim0, int dim1) -> Tensor
trapezoid.dx(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor
trapezoid.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor
trapz.dx(Tensor y, *, float dx=1., int dim=-1) -> Tensor
trapz.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor
tril(Tensor self, SymInt diagonal=0) -> Tensor
tril_(Tensor(a!) self, SymInt diagonal=0) -> Tensor(a!)
triu(Tensor self, SymInt diagonal=0) -> Tensor
triu_(Tensor(a!) self, SymInt diagonal=0) -> Tensor(a!)
type_as(Tensor self, Tensor other) -> Tensor
unbind.int(Tensor(a -> *) self, int dim=0) -> Tensor(a)[]
unbind_copy.int(Tensor self, int dim=0) -> Tensor[]
unflatten.int(Tensor(a) self, int dim, SymInt[] sizes) -> Tensor(a)
unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)
unfold_copy(Tensor self, int dimension, int size, int step) -> Tensor
unsqueeze(Tensor(a) self, int dim) -> Tensor(a)
unsqueeze_(Tensor(a!) self, int dim) -> Tensor(a!)
unsqueeze_copy(Tensor self, int dim) -> Tensor
view(Tensor(a) self, SymInt[] size) -> Tensor(a)
view.dtype(Tensor(a) self, ScalarType dtype) -> Tensor(a)
view_as(Tensor(a) self, Tensor other) -> Tensor(a)
view_as_complex(Tensor(a) self) -> Tensor(a)
view_as_real(Tensor(a) self) -> Tensor(a)
view_copy(Tensor self, SymInt[] size) -> Tensor
vsplit.array(Tensor(a -> *) self, int[] indices) -> Tensor(a)[]
vsplit.int(Tensor(a -> *) self, int sections) -> Tensor(a)[]
vstack(Tensor[] tensors) -> Tensor
"""
