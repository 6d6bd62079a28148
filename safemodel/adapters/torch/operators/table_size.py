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
_local_scalar_dense(Tensor self) -> Scalar
is_nonzero(Tensor self) -> bool
item(Tensor self) -> Scalar
sym_constrain_range(Scalar size, *, int? min=None, int? max=None) -> ()
sym_constrain_range_for_size(Scalar size, *, int? min=None, int? max=None) -> ()
sym_numel(Tensor self) -> SymInt
sym_size.int(Tensor self, int dim) -> SymInt
sym_storage_offset(Tensor self) -> SymInt
sym_stride.int(Tensor self, int dim) -> SymInt
"""
