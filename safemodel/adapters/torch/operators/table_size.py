"""Sizes and assertions.

Schemas as of PyTorch 2.13, without their namespace `aten`; `schema.py` says how a row is read.
"""

from typing import Final

ROWS: Final = """
_assert_async(Tensor self) -> ()
_assert_async.msg(Tensor self, str assert_msg) -> () | assert_msg=text
_assert_scalar(Scalar self, str assert_msg) -> () | assert_msg=text
_assert_tensor_metadata(Tensor a, SymInt[]? size=None, SymInt[]? stride=None, ScalarType?
  dtype=None, *, Device? device=None, Layout? layout=None) -> ()
_functional_assert_scalar(Scalar self, str assert_msg, Tensor dep_token) -> Tensor | assert_msg=text
_local_scalar_dense(Tensor self) -> Scalar
dim(Tensor self) -> int
is_complex(Tensor self) -> bool
is_contiguous(Tensor self) -> bool
is_contiguous.memory_format(Tensor self, MemoryFormat memory_format) -> bool
is_floating_point(Tensor self) -> bool
is_nonzero(Tensor self) -> bool
is_same_size(Tensor self, Tensor other) -> bool
is_signed(Tensor self) -> bool
item(Tensor self) -> Scalar
numel(Tensor self) -> int
result_type.Scalar(Tensor tensor, Scalar other) -> ScalarType
result_type.Scalar_Scalar(Scalar scalar1, Scalar scalar2) -> ScalarType
result_type.Scalar_Tensor(Scalar scalar, Tensor tensor) -> ScalarType
result_type.Tensor(Tensor tensor, Tensor other) -> ScalarType
size(Tensor self) -> int[]
size.int(Tensor self, int dim) -> int
sym_constrain_range(Scalar size, *, int? min=None, int? max=None) -> ()
sym_constrain_range_for_size(Scalar size, *, int? min=None, int? max=None) -> ()
sym_numel(Tensor self) -> SymInt
sym_size(Tensor self) -> SymInt[]
sym_size.int(Tensor self, int dim) -> SymInt
sym_storage_offset(Tensor self) -> SymInt
sym_stride(Tensor self) -> SymInt[]
sym_stride.int(Tensor self, int dim) -> SymInt
"""
