"""Calls of each operator of the table that TensorFlow accepts: inputs and attributes by name.

What the hunts change (`tensorflow_operator_fuzz.py`), and what shows that each row is one that
works. Variables stand for resources, `Lists` for lists of tensors.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

Calls = dict[str, list[dict[str, Any]]]


def ramp(*shape: int, kind: str = "float32", low: float = 0.1, step: float = 0.05) -> Any:
    """Different values in a shape."""
    count = int(np.prod(shape, dtype=np.int64))
    return (low + step * np.arange(count)).reshape(shape).astype(kind)


def whole(*shape: int, kind: str = "int32", modulo: int = 5) -> Any:
    """Small integers in a shape."""
    count = int(np.prod(shape, dtype=np.int64))
    return (np.arange(count) % modulo).reshape(shape).astype(kind)


def i32(*values: Any) -> Any:
    return np.array(values, np.int32)


def i64(*values: Any) -> Any:
    return np.array(values, np.int64)


def f32(*values: Any) -> Any:
    return np.array(values, np.float32)


def text(*values: str) -> Any:
    return np.array([value.encode() for value in values], object)


def scalar(value: Any, kind: str = "int32") -> Any:
    return np.array(value, kind)


class Variable:
    """Stands for the resource of a variable that has this value."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Lists:
    """Stands for a list of tensors of this shape, as a variant."""

    def __init__(self, kind: str, count: int, shape: tuple[int, ...]) -> None:
        self.kind, self.count, self.shape = kind, count, shape


X = ramp(2, 3)
Y = ramp(2, 3, low=0.7, step=-0.03)
SQUARE = np.array([[4, 1, 0.5], [1, 3, 0.2], [0.5, 0.2, 2]], np.float32)
IMAGE = ramp(2, 5, 6, 3, step=0.003)
ONE_IMAGE = ramp(1, 4, 4, 1)
VIDEO = ramp(1, 4, 5, 4, 2, step=0.003)
COMPLEX = (ramp(2, 4) + 1j * ramp(2, 4)).astype("complex64")
SPARSE = {"indices": i64([0, 1], [1, 0], [1, 2]), "values": f32(1, 2, 3), "shape": i64(2, 3)}
HALF = {"strides": [1, 2, 2, 1], "padding": "SAME"}
SEED = {"seed": i64(1, 2)}
KEYED = {
    "key": np.array([5], np.uint64),
    "counter": np.array([1, 2], np.uint64),
    "alg": scalar(1),
}
BOXES = f32([0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 2, 1, 3])

UNARY = {
    "x": "Abs Acos Acosh Asin Asinh Atan Atanh BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 "
    "BesselJ1 BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1 Ceil Cos Cosh Dawsn Digamma "
    "Erf Erfc Erfinv Exp Expint Expm1 Floor FresnelCos FresnelSin Inv IsFinite IsInf IsNan Lgamma "
    "Log Log1p Ndtri Neg Reciprocal Rint Round Rsqrt Sigmoid Sign Sin Sinh Spence Sqrt Square Tan "
    "Tanh OnesLike ZerosLike",
    "features": "Elu Relu Relu6 Selu Softplus Softsign LeakyRelu",
    "input": "Identity StopGradient PreventGradient Rank Shape Size Squeeze Where",
    "logits": "Softmax LogSoftmax",
    "images": "RGBToHSV HSVToRGB",
    "t": "L2Loss",
}
BINARY = {
    "x y": "Add AddV2 ApproximateEqual Atan2 Div DivNoNan Equal FloorDiv FloorMod Greater "
    "GreaterEqual Less LessEqual Maximum Minimum Mod Mul MulNoNan NotEqual Pow RealDiv "
    "SquaredDifference Sub TruncateDiv TruncateMod Xdivy Xlog1py Xlogy",
    "y dy": "InvGrad ReciprocalGrad RsqrtGrad SigmoidGrad SqrtGrad TanhGrad",
    "gradients features": "Relu6Grad ReluGrad LeakyReluGrad SoftplusGrad SoftsignGrad",
    "gradients outputs": "EluGrad SeluGrad",
    "a x": "Igamma IgammaGradA Igammac Polygamma",
    "x1 x2": "NextAfter",
    "x q": "Zeta",
    "alpha sample": "RandomGammaGrad",
}
REDUCE = "EuclideanNorm Max Mean Min Prod Sum"
FOURIER = "FFT IFFT FFT2D IFFT2D FFT3D IFFT3D"


@cache
def calls() -> Calls:
    """Calls by operator."""
    found: Calls = {}
    for names, operators in UNARY.items():
        for name in operators.split():
            values = ramp(2, 3, low=1.1) if name == "Acosh" else X
            found[name] = [{names: ramp(2, 2, 3) if names == "images" else values}]
            if names in {"x", "input"} and name != "Where":
                found[name].append({names: np.float64(0.5)})
    for names, operators in BINARY.items():
        for name in operators.split():
            found[name] = [dict(zip(names.split(), (X, Y), strict=True))]
            if names == "x y" and name != "ApproximateEqual":
                found[name].append({"x": X, "y": Y[:1]})
                found[name].append({"x": Y[0], "y": X.reshape(2, 1, 3)})
    for name in REDUCE.split():
        found[name] = [
            {"input": X, "reduction_indices": i32(0), "keep_dims": False},
            {"input": ramp(2, 3, 4), "reduction_indices": i64(0, 2), "keep_dims": True},
        ]
    for name in FOURIER.split():
        found[name] = [{"input": (ramp(2, 4, 2, 4) + 0j).astype("complex64")}]
    for part in (pointwise, making, shapes, indexing, reducing, linear, fourier):
        found.update(part())
    for part in (network, pooling, losses, images, randomness, strings, ragged, sparse):
        found.update(part())
    for part in (variables, training, lists, control):
        found.update(part())
    return found


def pointwise() -> Calls:
    bits = {"x": whole(2, 3), "y": whole(2, 3, modulo=3)}
    truth = np.array([[True, False, True], [False, True, True]])
    found: Calls = {
        name: [bits]
        for name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "LeftShift", "RightShift")
    }
    found |= {name: [{"x": truth, "y": truth}] for name in ("LogicalAnd", "LogicalOr")}
    found |= {name: [{"input": COMPLEX}] for name in ("Angle", "Conj", "Imag", "Real")}
    # what division does with integers, and powers
    for name in ("FloorDiv", "FloorMod", "TruncateDiv", "TruncateMod", "Mod", "Div", "Pow", "Mul"):
        found[name] = [
            {"x": X, "y": Y},
            {"x": whole(2, 3) + 1, "y": whole(2, 3, modulo=3) + 1},
            {"x": whole(3) + 1, "y": scalar(2)},
            {"x": whole(3, kind="int64") + 1, "y": scalar(2, "int64")},
            {"x": whole(3, kind="int8") + 1, "y": scalar(2, "int8")},
        ]
        if name in {"TruncateMod", "Mod", "FloorMod"}:
            found[name] = [{"x": X, "y": Y}, *found[name][1:4]]
    found |= {
        "AddN": [{"inputs": [X, Y, X]}, {"inputs": [Lists("float32", 2, (3,))] * 2}],
        "Betainc": [{"a": X, "b": Y, "x": X / 3}],
        "Bitcast": [{"input": X, "type": "int32"}, {"input": whole(3, 2), "type": "int64"}],
        "Cast": [
            {"x": X, "DstT": "int32", "Truncate": False},
            {"x": whole(2, 3), "DstT": "complex64"},
            {"x": X, "DstT": "bfloat16", "Truncate": True},
            {"x": X, "DstT": "bool"},
        ],
        "ClipByValue": [
            {"t": X, "clip_value_min": np.float32(0.2), "clip_value_max": np.float32(0.3)}
        ],
        "Complex": [{"real": X, "imag": Y}],
        "ComplexAbs": [{"x": COMPLEX}],
        "Invert": [{"x": whole(2, 3)}],
        "LogicalNot": [{"x": truth}],
        "PopulationCount": [{"x": whole(2, 3)}],
        "Select": [
            {"condition": truth, "t": X, "e": Y},
            {"condition": truth[:, 0], "t": X, "e": Y},
        ],
        "SelectV2": [
            {"condition": truth, "t": X, "e": Y},
            {"condition": truth[:1], "t": X, "e": Y[:, :1]},
        ],
    }
    return found


def making() -> Calls:
    return {
        "NoOp": [{}],
        "PlaceholderWithDefault": [{"input": X, "shape": [2, 3]}],
        "IdentityN": [{"input": [X, whole(3)]}],
        "Assert": [{"condition": np.array(True), "data": [X, text("a")], "summarize": 3}],
        "CheckNumerics": [{"tensor": X, "message": "here"}],
        "CheckNumericsV2": [{"tensor": X, "message": "here"}],
        "EnsureShape": [{"input": X, "shape": [2, -1]}],
        "Fill": [{"dims": i32(2, 3), "value": np.float32(1)}, {"dims": i64(2), "value": b"a"}],
        "Range": [
            {"start": scalar(0), "limit": scalar(9), "delta": scalar(2)},
            {"start": np.float32(0), "limit": np.float32(1), "delta": np.float32(0.3)},
        ],
        "LinSpace": [{"start": np.float32(0), "stop": np.float32(1), "num": scalar(5)}],
        "OneHot": [
            {
                "indices": whole(2, 3),
                "depth": scalar(4),
                "on_value": np.float32(1),
                "off_value": np.float32(0),
                "axis": -1,
            }
        ],
        "BroadcastTo": [{"input": X, "shape": i32(4, 2, 3)}],
        "BroadcastArgs": [{"s0": i32(2, 1), "s1": i32(1, 3)}],
        "Tile": [{"input": X, "multiples": i32(2, 1)}],
        "Const": [],
    }


def shapes() -> Calls:
    crops = {"crops": i32([0, 1], [0, 0])}
    paddings = {"paddings": i32([1, 1], [0, 2])}
    begin = {"begin": i32(0, 1), "end": i32(2, 3), "strides": i32(1, 1)}
    masks = {"begin_mask": 1, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0}
    blocks = {"block_shape": i32(2, 1)}
    return {
        "BatchToSpace": [
            {"input": ramp(4, 2, 2, 1), "crops": i32([0, 1], [0, 0]), "block_size": 2}
        ],
        "BatchToSpaceND": [{"input": ramp(4, 2, 2, 1), **blocks, **crops}],
        "SpaceToBatch": [
            {"input": ramp(1, 4, 3, 1), "paddings": i32([0, 0], [0, 1]), "block_size": 2}
        ],
        "SpaceToBatchND": [{"input": ramp(1, 4, 3, 1), **blocks, "paddings": i32([0, 0], [0, 1])}],
        "BroadcastGradientArgs": [{"s0": i32(2, 3), "s1": i32(1, 3)}],
        "Concat": [{"concat_dim": scalar(1), "values": [X, Y]}],
        "ConcatOffset": [{"concat_dim": scalar(1), "shape": [i32(2, 3), i32(2, 4)]}],
        "ConcatV2": [
            {"values": [X, Y, X], "axis": scalar(1)},
            {"values": [text("a"), text("b")], "axis": scalar(0)},
        ],
        "DepthToSpace": [{"input": ramp(1, 2, 2, 4), "block_size": 2, "data_format": "NHWC"}],
        "SpaceToDepth": [{"input": ramp(1, 4, 4, 2), "block_size": 2, "data_format": "NHWC"}],
        "ExpandDims": [{"input": X, "dim": scalar(1)}],
        "InvertPermutation": [{"x": i32(2, 0, 1)}],
        "MirrorPad": [{"input": X, "paddings": i32([1, 1], [0, 2]), "mode": "REFLECT"}],
        "MirrorPadGrad": [
            {"input": ramp(4, 5), "paddings": i32([1, 1], [0, 2]), "mode": "REFLECT"},
            {"input": ramp(4, 5), "paddings": i32([1, 1], [0, 2]), "mode": "SYMMETRIC"},
        ],
        "Pack": [{"values": [X, Y], "axis": 1}],
        "Pad": [{"input": X, **paddings}, {"input": text("a"), "paddings": i32([1, 1])}],
        "PadV2": [{"input": X, **paddings, "constant_values": np.float32(7)}],
        "Reshape": [{"tensor": X, "shape": i32(3, -1)}, {"tensor": X, "shape": i64(6)}],
        "Reverse": [{"tensor": X, "dims": np.array([True, False])}],
        "ReverseSequence": [{"input": X, "seq_lengths": i32(2, 3), "seq_dim": 1, "batch_dim": 0}],
        "ReverseV2": [{"tensor": X, "axis": i32(1)}],
        "Roll": [{"input": X, "shift": i32(1), "axis": i32(1)}],
        "ShapeN": [{"input": [X, Y]}],
        "Slice": [{"input": X, "begin": i32(0, 1), "size": i32(2, -1)}],
        "Split": [{"split_dim": scalar(1), "value": X, "num_split": 3}],
        "SplitV": [
            {"value": X, "size_splits": i32(1, 2), "split_dim": scalar(1), "num_split": 2},
            {"value": X, "size_splits": i64(1, -1), "split_dim": scalar(1), "num_split": 2},
        ],
        "Squeeze": [{"input": X[:1], "axis": [0]}, {"input": X[:1]}],
        "StridedSlice": [
            {"input": X, **begin, **masks, "shrink_axis_mask": 2},
            {"input": X, "begin": i32(1), "end": i32(-3), "strides": i32(-1)},
            {"input": X, **begin, "new_axis_mask": 1, "ellipsis_mask": 2},
        ],
        "StridedSliceGrad": [{"shape": i32(2, 3), **begin, "dy": ramp(2, 2), **masks}],
        "TensorStridedSliceUpdate": [{"input": X, **begin, "value": ramp(2, 2), **masks}],
        "Transpose": [{"x": X, "perm": i32(1, 0)}],
        "ConjugateTranspose": [{"x": COMPLEX, "perm": i32(1, 0)}],
        "Unpack": [{"value": X, "num": 3, "axis": 1}],
        "UnravelIndex": [{"indices": i32(1, 5), "dims": i32(2, 3)}],
        "DataFormatDimMap": [{"x": i32(0, 3), "src_format": "NHWC", "dst_format": "NCHW"}],
        "DataFormatVecPermute": [
            {"x": i32(1, 4, 5, 2), "src_format": "NHWC", "dst_format": "NCHW"}
        ],
    }


def indexing() -> Calls:
    flat = {"data": ramp(6, 2), "segment_ids": i32(0, 0, 1, 3, 3, 3)}
    unsorted = {**flat, "num_segments": scalar(4)}
    picked = {"data": ramp(6, 2), "indices": i32(0, 2, 5), "segment_ids": i32(0, 0, 1)}
    numbered = {**picked, "num_segments": scalar(3)}
    graded = {
        "grad": ramp(2, 3),
        "indices": i32(0, 2, 5),
        "segment_ids": i32(0, 0, 1),
        "output_dim0": scalar(6),
    }
    nd = {"indices": i32([0], [1]), "updates": ramp(2, 3)}
    found: Calls = {
        name: [
            {"tensor": X, **nd},
            {"tensor": X, "indices": i64([0, 1], [1, 2]), "updates": X[0, :2]},
        ]
        for name in ("TensorScatterAdd", "TensorScatterMax", "TensorScatterMin")
    }
    found |= dict.fromkeys(("TensorScatterSub", "TensorScatterUpdate"), found["TensorScatterAdd"])
    for way in ("Max", "Min", "Prod", "Sum", "Mean"):
        found[f"Segment{way}"] = [flat]
        if way != "Mean":
            found[f"UnsortedSegment{way}"] = [unsorted]
    for way in ("Mean", "SqrtN", "Sum"):
        found[f"SparseSegment{way}"] = [picked]
        found[f"SparseSegment{way}WithNumSegments"] = [numbered]
        found[f"SparseSegment{way}Grad"] = [graded]
        found[f"SparseSegment{way}GradV2"] = [
            {
                **{key: graded[key] for key in picked if key != "data"},
                "grad": graded["grad"],
                "dense_output_dim0": scalar(6),
            }
        ]
    for name in ("LowerBound", "UpperBound"):
        found[name] = [{"sorted_inputs": X, "values": Y}]
    return found | {
        "Gather": [{"params": X, "indices": i32(1, 0), "validate_indices": True}],
        "GatherNd": [{"params": X, "indices": i32([0, 1], [1, 2])}],
        "GatherV2": [
            {"params": X, "indices": i32([1, 0], [2, 2]), "axis": scalar(1)},
            {"params": X, "indices": i64([1, 0], [2, 2]), "axis": scalar(1), "batch_dims": 1},
        ],
        "ScatterNd": [{**nd, "shape": i32(4, 3)}],
        "ScatterNdNonAliasingAdd": [{"input": X, **nd}],
        "DynamicPartition": [
            {"data": ramp(4, 2), "partitions": i32(0, 2, 1, 0), "num_partitions": 3}
        ],
        "DynamicStitch": [{"indices": [i32(0, 2), i32(1)], "data": [ramp(2, 2), ramp(1, 2)]}],
        "ParallelDynamicStitch": [
            {"indices": [i32(0, 2), i32(1)], "data": [ramp(2, 2), ramp(1, 2)]}
        ],
        "Unique": [{"x": whole(6, modulo=3)}, {"x": text("a", "b", "a")}],
        "UniqueV2": [{"x": whole(6, modulo=3), "axis": i32(0)}],
        "UniqueWithCounts": [{"x": whole(6, modulo=3)}],
        "UniqueWithCountsV2": [{"x": whole(6, modulo=3), "axis": i32(0)}],
        "ListDiff": [{"x": i32(1, 2, 3), "y": i32(2)}],
        "InTopK": [{"predictions": X, "targets": i32(0, 2), "k": 2}],
        "InTopKV2": [{"predictions": X, "targets": i32(0, 2), "k": scalar(2)}],
        "TopKV2": [{"input": X, "k": scalar(2), "sorted": True}],
        "ApproxTopK": [{"input": X, "k": 2}],
        "Bucketize": [{"input": X, "boundaries": [0.15, 0.25]}],
        "Bincount": [
            {"arr": whole(6), "size": scalar(7), "weights": ramp(6)},
            {"arr": whole(6), "size": scalar(7), "weights": ramp(0)},
        ],
        "DenseBincount": [
            {"input": whole(2, 6), "size": scalar(7), "weights": ramp(2, 6)},
            {"input": whole(6), "size": scalar(7), "weights": ramp(0), "binary_output": True},
        ],
        "HistogramFixedWidth": [{"values": X, "value_range": f32(0, 1), "nbins": scalar(5)}],
        "NthElement": [{"input": X, "n": scalar(1), "reverse": False}],
    }


def reducing() -> Calls:
    truth = X > 0.2
    found: Calls = {
        name: [{"input": truth, "reduction_indices": i32(1)}] for name in ("All", "Any")
    }
    for name in ("ArgMax", "ArgMin"):
        found[name] = [{"input": X, "dimension": scalar(1), "output_type": "int64"}]
    for name in ("Cumprod", "Cumsum", "CumulativeLogsumexp"):
        found[name] = [{"x": X, "axis": scalar(1), "exclusive": True, "reverse": True}]
    return found


def linear() -> Calls:
    batch = np.stack([SQUARE, SQUARE + np.eye(3, dtype="float32")])
    bands = {"k": i32(-1, 1), "num_rows": scalar(-1), "num_cols": scalar(-1)}
    diagonals = ramp(3, 3)
    found: Calls = {
        name: [{"input": batch}, {"input": SQUARE}]
        for name in ("Cholesky", "LogMatrixDeterminant", "Lu", "MatrixDeterminant")
    }
    found |= {
        name: [{"input": batch}]
        for name in ("MatrixInverse", "MatrixSquareRoot", "Qr", "SelfAdjointEigV2", "Svd")
    }
    for name in ("BatchMatMul", "BatchMatMulV2"):
        found[name] = [
            {"x": batch, "y": ramp(2, 3, 2), "adj_x": True},
            {"x": batch, "y": ramp(2, 2, 3), "adj_y": True},
        ]
    return found | {
        "BatchMatMulV3": [{"x": batch, "y": ramp(1, 3, 2), "Tout": "float32"}],
        "BandedTriangularSolve": [{"matrix": ramp(2, 3) + 1, "rhs": ramp(3, 2), "lower": True}],
        "CholeskyGrad": [{"l": np.linalg.cholesky(SQUARE), "grad": SQUARE}],
        "Cross": [{"a": X, "b": Y}],
        "Diag": [{"diagonal": ramp(3)}, {"diagonal": X}],
        "DiagPart": [{"input": SQUARE}, {"input": ramp(2, 3, 2, 3)}],
        "Eig": [{"input": SQUARE, "Tout": "complex64", "compute_v": True}],
        "Einsum": [
            {"inputs": [X, ramp(3, 2)], "equation": "ij,jk->ik"},
            {"inputs": [batch, ramp(2, 3)], "equation": "b...j,bj->b...j"},
            {"inputs": [SQUARE], "equation": "ii->"},
        ],
        "MatMul": [
            {"a": X, "b": ramp(3, 2)},
            {"a": X, "b": X, "transpose_b": True},
            {"a": X, "b": X, "transpose_a": True},
        ],
        "MatrixBandPart": [
            {"input": batch, "num_lower": scalar(1, "int64"), "num_upper": scalar(-1, "int64")}
        ],
        "MatrixDiag": [{"diagonal": X}],
        "MatrixDiagPart": [{"input": batch}],
        "MatrixDiagPartV2": [{"input": batch, "k": i32(-1, 1), "padding_value": np.float32(0)}],
        "MatrixDiagPartV3": [
            {"input": batch, "k": i32(-1, 1), "padding_value": np.float32(0)},
            {"input": batch, "k": scalar(1), "padding_value": np.float32(0)},
        ],
        "MatrixDiagV2": [{"diagonal": diagonals, **bands, "padding_value": np.float32(0)}],
        "MatrixDiagV3": [
            {"diagonal": diagonals, **bands, "padding_value": np.float32(0)},
            {
                "diagonal": X,
                "k": scalar(1),
                "num_rows": scalar(5),
                "num_cols": scalar(-1),
                "padding_value": np.float32(0),
            },
        ],
        "MatrixSetDiag": [{"input": batch, "diagonal": X}],
        "MatrixSetDiagV2": [{"input": SQUARE, "diagonal": diagonals, "k": i32(-1, 1)}],
        "MatrixSetDiagV3": [{"input": SQUARE, "diagonal": diagonals, "k": i32(-1, 1)}],
        "MatrixSolve": [{"matrix": batch, "rhs": ramp(2, 3, 2), "adjoint": True}],
        "MatrixSolveLs": [
            {"matrix": ramp(2, 3, 2), "rhs": X[:, :, None], "l2_regularizer": np.float64(0.1)},
            {
                "matrix": SQUARE[:, :2],
                "rhs": X.T,
                "l2_regularizer": np.float64(0),
                "fast": False,
            },
        ],
        "MatrixTriangularSolve": [{"matrix": batch, "rhs": ramp(2, 3, 2), "lower": True}],
        "TridiagonalMatMul": [
            {
                "superdiag": ramp(1, 3),
                "maindiag": ramp(1, 3),
                "subdiag": ramp(1, 3),
                "rhs": ramp(3, 2),
            }
        ],
        "TridiagonalSolve": [
            {"diagonals": ramp(3, 3), "rhs": ramp(3, 2), "partial_pivoting": True},
            {"diagonals": ramp(3, 3), "rhs": ramp(3, 2), "partial_pivoting": False},
        ],
    }


def fourier() -> Calls:
    real, found = ramp(2, 4, 4, 4), {}
    for rank, ending in ((1, ""), (2, "2D"), (3, "3D")):
        length = {"fft_length": i32(*[4] * rank)}
        found[f"RFFT{ending}"] = [{"input": real, **length}]
        found[f"IRFFT{ending}"] = [{"input": real.astype("complex64"), **length}]
    return found


def network() -> Calls:
    normal = {
        "x": IMAGE,
        "scale": ramp(3),
        "offset": ramp(3),
        "mean": ramp(3),
        "variance": ramp(3),
        "is_training": False,
    }
    training = {**normal, "mean": ramp(0), "variance": ramp(0), "is_training": True}
    back = {
        "y_backprop": IMAGE,
        "x": IMAGE,
        "scale": ramp(3),
        "reserve_space_1": ramp(3),
        "reserve_space_2": ramp(3),
    }
    back3 = {**back, "reserve_space_3": ramp(3)}
    kernel, deep = ramp(3, 3, 3, 4), ramp(3, 3, 3, 2)
    cube = {"strides": [1, 1, 1, 1, 1], "padding": "VALID"}
    fake = {"num_bits": 8, "narrow_range": False}
    span = {"min": np.float32(-1), "max": np.float32(1)}
    quantized = {"input_min": np.float32(-1), "input_max": np.float32(1), "signed_input": True}
    smooth = {"filter": ramp(2, 2, 3), "strides": [1, 1, 1, 1], "rates": [1, 2, 2, 1]}
    smooth |= {"padding": "SAME"}
    return {
        "BiasAdd": [{"value": IMAGE, "bias": ramp(3)}],
        "BiasAddGrad": [{"out_backprop": IMAGE}],
        "BiasAddV1": [{"value": IMAGE, "bias": ramp(3)}],
        "Conv2D": [
            {"input": IMAGE, "filter": kernel, **HALF},
            {"input": IMAGE, "filter": ramp(2, 2, 1, 6), "strides": [1] * 4, "padding": "VALID"},
            {
                "input": IMAGE,
                "filter": kernel,
                "strides": [1, 1, 1, 1],
                "padding": "EXPLICIT",
                "explicit_paddings": [0, 0, 1, 1, 2, 0, 0, 0],
                "dilations": [1, 2, 2, 1],
            },
        ],
        "Conv2DBackpropFilter": [
            {
                "input": IMAGE,
                "filter_sizes": i32(3, 3, 3, 4),
                "out_backprop": ramp(2, 3, 3, 4),
                **HALF,
            }
        ],
        "Conv2DBackpropInput": [
            {
                "input_sizes": i32(2, 5, 6, 3),
                "filter": kernel,
                "out_backprop": ramp(2, 3, 3, 4),
                **HALF,
            }
        ],
        "Conv3D": [{"input": VIDEO, "filter": ramp(2, 2, 2, 2, 3), **cube}],
        "Conv3DBackpropFilterV2": [
            {
                "input": VIDEO,
                "filter_sizes": i32(2, 2, 2, 2, 3),
                "out_backprop": ramp(1, 3, 4, 3, 3),
                **cube,
            }
        ],
        "Conv3DBackpropInputV2": [
            {
                "input_sizes": i32(1, 4, 5, 4, 2),
                "filter": ramp(2, 2, 2, 2, 3),
                "out_backprop": ramp(1, 3, 4, 3, 3),
                **cube,
            }
        ],
        "DepthwiseConv2dNative": [{"input": IMAGE, "filter": deep, **HALF}],
        "DepthwiseConv2dNativeBackpropFilter": [
            {
                "input": IMAGE,
                "filter_sizes": i32(3, 3, 3, 2),
                "out_backprop": ramp(2, 3, 3, 6),
                **HALF,
            }
        ],
        "DepthwiseConv2dNativeBackpropInput": [
            {
                "input_sizes": i32(2, 5, 6, 3),
                "filter": deep,
                "out_backprop": ramp(2, 3, 3, 6),
                **HALF,
            }
        ],
        "Dilation2D": [{"input": IMAGE, **smooth}],
        "Dilation2DBackpropFilter": [{"input": IMAGE, **smooth, "out_backprop": IMAGE}],
        "Dilation2DBackpropInput": [{"input": IMAGE, **smooth, "out_backprop": IMAGE}],
        "FakeQuantWithMinMaxArgs": [{"inputs": X, "min": -1.0, "max": 1.0, **fake}],
        "FakeQuantWithMinMaxArgsGradient": [{"gradients": X, "inputs": Y, "min": -1.0, **fake}],
        "FakeQuantWithMinMaxVars": [{"inputs": X, **span, **fake}],
        "FakeQuantWithMinMaxVarsGradient": [{"gradients": X, "inputs": Y, **span, **fake}],
        "FusedBatchNorm": [normal, training],
        "FusedBatchNormV2": [normal, training],
        "FusedBatchNormV3": [normal, training],
        "FusedBatchNormGrad": [back, {**back, "is_training": False}],
        "FusedBatchNormGradV2": [back, {**back, "is_training": False}],
        "FusedBatchNormGradV3": [back3, {**back3, "is_training": False}],
        "LRN": [{"input": IMAGE, "depth_radius": 2}],
        "LRNGrad": [{"input_grads": IMAGE, "input_image": IMAGE, "output_image": IMAGE}],
        "QuantizeAndDequantizeV2": [{"input": X, **quantized, "num_bits": 8, "range_given": True}],
        "QuantizeAndDequantizeV4": [
            {"input": X, "input_min": np.float32(-1), "input_max": np.float32(1), "axis": -1}
        ],
        "QuantizeAndDequantizeV4Grad": [
            {
                "gradients": X,
                "input": Y,
                "input_min": np.float32(-1),
                "input_max": np.float32(1),
                "axis": -1,
            }
        ],
        "SparseMatMul": [{"a": X, "b": ramp(3, 2), "a_is_sparse": True}],
    }


def pooling() -> Calls:
    window = {"ksize": [1, 2, 2, 1], **HALF}
    cube = {"ksize": [1, 2, 2, 2, 1], "strides": [1, 2, 2, 2, 1], "padding": "SAME"}
    pooled = ramp(2, 3, 3, 3)
    halved = {"value": IMAGE, "pooling_ratio": [1.0, 1.5, 1.5, 1.0], "deterministic": True}
    return {
        "AvgPool": [{"value": IMAGE, **window}],
        "AvgPool3D": [{"input": VIDEO, **cube}],
        "MaxPool": [{"input": IMAGE, **window}],
        "MaxPoolGrad": [{"orig_input": IMAGE, "orig_output": pooled, "grad": pooled, **window}],
        "MaxPoolWithArgmax": [{"input": IMAGE, **window}],
        "MaxPool3D": [{"input": VIDEO, **cube}],
        "MaxPool3DGrad": [
            {
                "orig_input": VIDEO,
                "orig_output": ramp(1, 2, 3, 2, 2),
                "grad": ramp(1, 2, 3, 2, 2),
                **cube,
            }
        ],
        "FractionalAvgPool": [halved],
        "FractionalMaxPool": [halved],
    }


def losses() -> Calls:
    steps = ramp(4, 2, 5)
    labels = {"labels_indices": i64([0, 0], [0, 1], [1, 0]), "labels_values": i32(0, 1, 2)}
    loss = {"inputs": steps, **labels, "sequence_length": i32(4, 3)}
    lengths = {"inputs": steps, "sequence_length": i32(4, 3), "merge_repeated": True}
    return {
        "SoftmaxCrossEntropyWithLogits": [{"features": X, "labels": Y}],
        "SparseSoftmaxCrossEntropyWithLogits": [{"features": X, "labels": i32(0, 2)}],
        "CTCLoss": [loss],
        "CTCGreedyDecoder": [lengths],
        "CTCBeamSearchDecoder": [{**lengths, "beam_width": 4, "top_paths": 2}],
    }


def images() -> Calls:
    crops = {"boxes": BOXES[:2], "box_ind": i32(0, 1)}
    glimpse = {"input": IMAGE, "size": i32(2, 2), "offsets": f32([0, 0], [0.5, 0.5])}
    size = {"images": IMAGE, "size": i32(4, 7), "align_corners": False}
    scores = {"boxes": BOXES, "scores": f32(0.9, 0.8, 0.7), "max_output_size": scalar(2)}
    limit = {"iou_threshold": np.float32(0.5)}
    cut = {"score_threshold": np.float32(0.1)}
    move = {"transforms": f32([1, 0, 1, 0, 1, 1, 0, 0]), "output_shape": i32(4, 4)}
    move |= {"interpolation": "BILINEAR"}
    patches = {"ksizes": [1, 2, 2, 1], "strides": [1, 1, 1, 1], "rates": [1, 2, 2, 1]}
    scaled = {"scale": f32(1, 1.2), "translation": f32(0, 0.5), "kernel_type": "lanczos3"}
    return {
        "AdjustContrastv2": [{"images": IMAGE, "contrast_factor": np.float32(2)}],
        "AdjustHue": [{"images": IMAGE, "delta": np.float32(0.1)}],
        "AdjustSaturation": [{"images": IMAGE, "scale": np.float32(2)}],
        "CropAndResize": [
            {"image": IMAGE, **crops, "crop_size": i32(3, 4), "method": "bilinear"},
            {"image": IMAGE, **crops, "crop_size": i32(3, 4), "method": "nearest"},
        ],
        "CropAndResizeGradBoxes": [{"grads": ramp(2, 3, 4, 3), "image": IMAGE, **crops}],
        "CropAndResizeGradImage": [
            {"grads": ramp(2, 3, 4, 3), **crops, "image_size": i32(2, 5, 6, 3), "T": "float32"}
        ],
        "ExtractGlimpse": [glimpse],
        "ExtractGlimpseV2": [glimpse],
        "DrawBoundingBoxes": [{"images": IMAGE, "boxes": BOXES[None][[0, 0]]}],
        "DrawBoundingBoxesV2": [
            {"images": IMAGE, "boxes": BOXES[None][[0, 0]], "colors": ramp(2, 3)}
        ],
        "ExtractImagePatches": [{"images": IMAGE, **patches, "padding": "SAME"}],
        "ExtractVolumePatches": [
            {
                "input": VIDEO,
                "ksizes": [1, 2, 2, 2, 1],
                "strides": [1, 1, 1, 1, 1],
                "padding": "SAME",
            }
        ],
        "ImageProjectiveTransformV2": [{"images": IMAGE, **move}],
        "ImageProjectiveTransformV3": [
            {"images": IMAGE, **move, "fill_value": np.float32(0), "fill_mode": "REFLECT"},
            {"images": IMAGE, **move, "fill_value": np.float32(0), "fill_mode": "WRAP"},
        ],
        "NonMaxSuppression": [{**scores, "iou_threshold": 0.5}],
        "NonMaxSuppressionV2": [{**scores, **limit}],
        "NonMaxSuppressionV3": [{**scores, **limit, **cut}],
        "NonMaxSuppressionV4": [{**scores, **limit, **cut, "pad_to_max_output_size": True}],
        "NonMaxSuppressionV5": [{**scores, **limit, **cut, "soft_nms_sigma": np.float32(0.1)}],
        "NonMaxSuppressionWithOverlaps": [
            {
                "overlaps": SQUARE / 4,
                "scores": f32(0.9, 0.8, 0.7),
                "max_output_size": scalar(2),
                "overlap_threshold": np.float32(0.5),
                **cut,
            }
        ],
        "ResizeArea": [size],
        "ResizeBicubic": [size],
        "ResizeBicubicGrad": [
            {"grads": ramp(2, 4, 7, 3), "original_image": IMAGE, "align_corners": False}
        ],
        "ResizeBilinear": [size, {**size, "half_pixel_centers": True}],
        "ResizeBilinearGrad": [
            {"grads": ramp(2, 4, 7, 3), "original_image": IMAGE, "half_pixel_centers": True}
        ],
        "ResizeNearestNeighbor": [size],
        "ResizeNearestNeighborGrad": [{"grads": ramp(2, 4, 7, 3), "size": i32(5, 6)}],
        "ScaleAndTranslate": [{"images": IMAGE, "size": i32(4, 7), **scaled, "antialias": True}],
        "ScaleAndTranslateGrad": [
            {"grads": ramp(2, 4, 7, 3), "original_image": IMAGE, **scaled, "antialias": True}
        ],
    }


def randomness() -> Calls:
    shape = {"shape": i32(2, 3)}
    kind = {**shape, "dtype": "float32"}
    ends = {"minval": scalar(0), "maxval": scalar(9)}
    normal = {"means": f32(0.1, 0.2), "minvals": f32(-2, -2)}
    normal |= {"maxvals": f32(2, 2)}
    found: Calls = {
        name: [{**kind, "seed": 3, "seed2": 4}]
        for name in ("RandomStandardNormal", "RandomUniform", "TruncatedNormal")
    }
    for name in ("StatelessRandomNormal", "StatelessRandomUniform", "StatelessTruncatedNormal"):
        found[name] = [{**kind, **SEED}]
        found[f"{name}V2"] = [{**kind, **KEYED}]
    return found | {
        "RandomGamma": [{"shape": i32(2), "alpha": f32(0.5, 2), "seed": 1}],
        "RandomPoissonV2": [{"shape": i32(2), "rate": f32(0.5, 20), "seed": 1}],
        "RandomShuffle": [{"value": X, "seed": 1}],
        "RandomUniformInt": [{**shape, **ends, "seed": 1}],
        "ParameterizedTruncatedNormal": [{"shape": i32(2, 3), **normal, "stdevs": f32(1, 2)}],
        "Multinomial": [{"logits": X, "num_samples": scalar(4), "seed": 1}],
        "RandomIndexShuffle": [
            {"index": i32(1, 2), "seed": np.array([1, 2, 3], np.uint32), "max_index": i32(9, 9)}
        ],
        "StatelessMultinomial": [{"logits": X, "num_samples": scalar(4), **SEED}],
        "StatelessParameterizedTruncatedNormal": [
            {"shape": i32(3, 2), **SEED, **normal, "stddevs": f32(1, 2)}
        ],
        "StatelessRandomBinomial": [
            {"shape": i32(3, 2), **SEED, "counts": f32(5, 50), "probs": f32(0.2, 0.6)}
        ],
        "StatelessRandomGammaV2": [{"shape": i32(3, 2), **SEED, "alpha": f32(0.5, 2)}],
        "StatelessRandomGammaV3": [{"shape": i32(3, 2), **KEYED, "alpha": f32(0.5, 2)}],
        "StatelessRandomGetAlg": [{}],
        "StatelessRandomGetKeyCounter": [SEED],
        "StatelessRandomGetKeyCounterAlg": [SEED],
        "StatelessRandomPoisson": [
            {"shape": i32(3, 2), **SEED, "lam": f32(0.5, 20), "dtype": "float32"}
        ],
        "StatelessRandomUniformFullInt": [{**shape, **SEED, "dtype": "int32"}],
        "StatelessRandomUniformFullIntV2": [{**shape, **KEYED, "dtype": "int32"}],
        "StatelessRandomUniformInt": [{**shape, **SEED, **ends}],
        "StatelessRandomUniformIntV2": [{**shape, **KEYED, **ends}],
        "StatelessShuffle": [{"value": X, **KEYED}],
    }


def strings() -> Calls:
    words = text("one two", "three", "")
    code = {"input_encoding": "UTF-8", "errors": "replace", "replacement_char": 65533}
    found: Calls = {
        name: [{"input": words}] for name in ("StringLength", "StringStrip", "StringLower")
    }
    for name in ("UnicodeDecode", "UnicodeDecodeWithOffsets"):
        found[name] = [{"input": words, **code}]
    return found | {
        "StringUpper": [{"input": words, "encoding": "utf-8"}],
        "AsString": [{"input": X, "precision": 3}, {"input": whole(3), "width": 5, "fill": "0"}],
        "EncodeBase64": [{"input": words, "pad": True}],
        "DecodeBase64": [{"input": text("b25l", "dHdv")}],
        "DecodeRaw": [{"bytes": text("onetwoon", "twoonetw"), "out_type": "int16"}],
        "ReduceJoin": [{"inputs": words, "reduction_indices": scalar(0), "separator": ","}],
        "RegexFullMatch": [{"input": words, "pattern": b"[a-z]+"}],
        "RegexReplace": [{"input": words, "pattern": b"(o)(n)", "rewrite": b"\\2\\1"}],
        "StaticRegexFullMatch": [{"input": words, "pattern": "[a-z]+"}],
        "StaticRegexReplace": [{"input": words, "pattern": "(o)(n)", "rewrite": "\\2\\1"}],
        "StringFormat": [{"inputs": [X, words], "template": "a {} b {}", "placeholder": "{}"}],
        "StringJoin": [{"inputs": [words, words], "separator": "-"}],
        "StringNGrams": [
            {
                "data": words,
                "data_splits": i64(0, 2, 3),
                "separator": " ",
                "ngram_widths": [1, 2],
                "left_pad": "<",
                "right_pad": ">",
                "pad_width": 1,
                "preserve_short_sequences": False,
            }
        ],
        "StringSplit": [{"input": words, "delimiter": b" ", "skip_empty": True}],
        "StringSplitV2": [{"input": words, "sep": b" ", "maxsplit": -1}],
        "StringToHashBucket": [{"string_tensor": words, "num_buckets": 7}],
        "StringToHashBucketFast": [{"input": words, "num_buckets": 7}],
        "StringToHashBucketStrong": [{"input": words, "num_buckets": 7, "key": [1, 2]}],
        "StringToNumber": [{"string_tensor": text("1.5", "-2"), "out_type": "float32"}],
        "Substr": [{"input": text("one", "two"), "pos": i32(1, 0), "len": i32(2, 2)}],
        "UnicodeEncode": [
            {
                "input_values": i32(72, 228, 8364),
                "input_splits": i64(0, 1, 3),
                "output_encoding": "UTF-8",
            }
        ],
        "UnicodeScript": [{"input": i32(72, 228, 1055)}],
        "UnicodeTranscode": [{"input": words, **code, "output_encoding": "UTF-16-BE"}],
        "UnsortedSegmentJoin": [
            {"inputs": words, "segment_ids": i32(0, 1, 0), "num_segments": scalar(2)}
        ],
        "Fingerprint": [{"data": X, "method": b"farmhash64"}],
    }


def ragged() -> Calls:
    splits = i64(0, 2, 3)
    return {
        "RaggedRange": [{"starts": i32(0, 1), "limits": i32(3, 5), "deltas": i32(1, 2)}],
        "RaggedTensorToSparse": [{"rt_nested_splits": [splits], "rt_dense_values": ramp(3)}],
        "RaggedFillEmptyRows": [
            {
                "value_rowids": i64(0, 0, 2),
                "values": ramp(3),
                "nrows": scalar(4, "int64"),
                "default_value": np.float32(9),
            }
        ],
        "RaggedFillEmptyRowsGrad": [{"reverse_index_map": i64(0, 1, 3), "grad_values": ramp(5)}],
    }


def sparse() -> Calls:
    indices, values, shape = SPARSE["indices"], SPARSE["values"], SPARSE["shape"]
    one = {"sp_indices": indices, "sp_values": values, "sp_shape": shape}
    two = {"a_indices": indices, "a_values": values, "a_shape": shape}
    two |= {"b_indices": indices, "b_values": values, "b_shape": shape}
    reduced = {"input_indices": indices, "input_values": values, "input_shape": shape}
    reduced |= {"reduction_axes": i32(1), "keep_dims": False}
    listed = {"indices": [indices] * 2, "values": [values] * 2, "shapes": [shape] * 2}
    {
        "indices": [indices[:, :2]],
        "values": [i64(1, 2, 3)],
        "shapes": [shape],
        "dense_inputs": [i64([7], [8])],
    }
    sets = {"set1_indices": i64([0, 0], [0, 1], [1, 0]), "set1_values": i64(1, 2, 3)}
    sets |= {"set1_shape": i64(2, 2)}
    {key.replace("1", "2"): value for key, value in sets.items()}
    whole(2, 3, kind="int64")
    found: Calls = {
        name: [{**one, "dense": np.ones((2, 3), "float32")}]
        for name in ("SparseDenseCwiseAdd", "SparseDenseCwiseDiv", "SparseDenseCwiseMul")
    }
    for name in ("SparseReduceMax", "SparseReduceSum"):
        found[name] = [reduced]
        found[f"{name}Sparse"] = [reduced]
    for name in ("SparseSparseMaximum", "SparseSparseMinimum"):
        found[name] = [two]
    return found | {
        "SparseAdd": [{**two, "thresh": np.float32(0)}],
        "SparseAddGrad": [
            {
                "backprop_val_grad": f32(1, 2, 3),
                "a_indices": indices,
                "b_indices": indices,
                "sum_indices": indices,
            }
        ],
        "SparseBincount": [
            {
                "indices": indices,
                "values": i32(1, 2, 3),
                "dense_shape": shape,
                "size": scalar(5),
                "weights": ramp(3),
            }
        ],
        "SparseConcat": [{**listed, "concat_dim": 1}],
        "SparseCross": [
            {
                "indices": [indices[:, :2]],
                "values": [i64(1, 2, 3)],
                "shapes": [shape],
                "dense_inputs": [i64([7], [8])],
                "hashed_output": True,
                "num_buckets": 5,
                "hash_key": 3,
                "out_type": "int64",
                "internal_type": "int64",
            }
        ],
        "SparseFillEmptyRows": [
            {
                "indices": indices[1:],
                "values": values[1:],
                "dense_shape": shape,
                "default_value": np.float32(9),
            }
        ],
        "SparseFillEmptyRowsGrad": [{"reverse_index_map": i64(0, 1, 3), "grad_values": ramp(5)}],
        "SparseReorder": [
            {"input_indices": indices[::-1], "input_values": values, "input_shape": shape}
        ],
        "SparseReshape": [
            {"input_indices": indices, "input_shape": shape, "new_shape": i64(3, -1)}
        ],
        "SparseSlice": [
            {
                "indices": indices,
                "values": values,
                "shape": shape,
                "start": i64(0, 1),
                "size": i64(2, 2),
            }
        ],
        "SparseSliceGrad": [
            {
                "backprop_val_grad": f32(1, 3),
                "input_indices": indices,
                "input_start": i64(0, 0),
                "output_indices": indices[[0, 2]],
            }
        ],
        "SparseSoftmax": [one],
        "SparseSplit": [
            {
                "split_dim": scalar(1, "int64"),
                "indices": indices,
                "values": values,
                "shape": shape,
                "num_split": 2,
            }
        ],
        "SparseTensorDenseAdd": [
            {"a_indices": indices, "a_values": values, "a_shape": shape, "b": X}
        ],
        "SparseTensorDenseMatMul": [
            {"a_indices": indices, "a_values": values, "a_shape": shape, "b": ramp(3, 2)}
        ],
        "SparseToDense": [
            {
                "sparse_indices": indices,
                "output_shape": shape,
                "sparse_values": values,
                "default_value": np.float32(0),
                "validate_indices": True,
            }
        ],
    }


def variables() -> Calls:
    held = {"resource": Variable(ramp(4, 3))}
    rows = {**held, "indices": i32(0, 2), "updates": ramp(2, 3)}
    places = {"ref": Variable(ramp(4, 3)), "indices": i32([0], [2]), "updates": ramp(2, 3)}
    found: Calls = {
        f"ResourceScatter{way}": [rows]
        for way in ("Add", "Sub", "Mul", "Div", "Min", "Max", "Update")
    }
    for way in ("Add", "Sub", "Update", "Max", "Min"):
        found[f"ResourceScatterNd{way}"] = [places]
    for name in ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"):
        found[name] = [{**held, "value": ramp(4, 3)}]
    return found | {
        "ReadVariableOp": [{**held, "dtype": "float32"}],
        "VarIsInitializedOp": [held],
        "VariableShape": [{"input": Variable(ramp(4, 3))}],
        "ResourceGather": [{**held, "indices": i32(0, 2), "dtype": "float32"}],
        "ResourceGatherNd": [{**held, "indices": i32([0, 2], [1, 1]), "dtype": "float32"}],
        "ResourceStridedSliceAssign": [
            {
                "ref": Variable(ramp(4, 3)),
                "begin": i32(0, 1),
                "end": i32(2, 3),
                "strides": i32(1, 1),
                "value": ramp(2, 2),
            }
        ],
        "RngReadAndSkip": [
            {
                "resource": Variable(i64(1, 2, 3)),
                "alg": scalar(1),
                "delta": np.array(3, np.uint64),
            }
        ],
    }


def training() -> Calls:
    """Calls from the table itself: their inputs have names that say what they are."""
    from safemodel.adapters.tensorflow.table import table

    found: Calls = {}
    for name, row in table().items():
        if row.family != "training":
            continue
        given: dict[str, Any] = {}
        few = "indices" in {one.name for one in row.inputs}
        for one in row.inputs:
            if one.type == "resource":
                given[one.name] = Variable(ramp(4, 3))
            elif one.name in {"grad", "delta"}:
                given[one.name] = ramp(2, 3) if few else ramp(4, 3)
            elif one.name == "indices":
                given[one.name] = i32(0, 2)
            elif one.name == "global_step":
                given[one.name] = scalar(3, "int64")
            else:
                given[one.name] = np.float32(-0.5 if one.name == "lr_power" else 0.1)
        found[name] = [given]
    return found


def lists() -> Calls:
    held = {"input_handle": Lists("float32", 3, (2,))}
    kind = {"element_dtype": "float32"}
    shape = {"element_shape": i32(2)}
    return {
        "EmptyTensorList": [{**shape, "max_num_elements": scalar(5), **kind}],
        "TensorListReserve": [{**shape, "num_elements": scalar(3), **kind}],
        "TensorListFromTensor": [{"tensor": X, "element_shape": i32(3)}],
        "TensorListGetItem": [{**held, "index": scalar(1), **shape, **kind}],
        "TensorListSetItem": [{**held, "index": scalar(1), "item": f32(1, 2)}],
        "TensorListStack": [{**held, **shape, **kind, "num_elements": 3}],
        "TensorListLength": [held],
        "TensorListElementShape": [{**held, "shape_type": "int32"}],
        "TensorListPushBack": [{**held, "tensor": f32(1, 2)}],
        "TensorListPopBack": [{**held, **shape, **kind}],
        "TensorListGather": [{**held, "indices": i32(2, 0), **shape, **kind}],
        "TensorListScatterV2": [
            {"tensor": X, "indices": i32(1, 0), "element_shape": i32(3), "num_elements": scalar(4)}
        ],
        "TensorListConcatV2": [{**held, **shape, "leading_dims": i64(), **kind}],
        "TensorListResize": [{**held, "size": scalar(5)}],
    }


def control() -> Calls:
    """Operators that call functions are tried with whole functions instead."""
    names = "If While Case StatelessIf StatelessWhile StatelessCase"
    return {name: [] for name in f"{names} PartitionedCall StatefulPartitionedCall".split()}
