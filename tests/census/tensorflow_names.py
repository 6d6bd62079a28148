"""The census of TensorFlow: its operations and the functions that Keras layers may name.

    python tests/census/tensorflow_names.py > safemodel/scan/tables/tensorflow.txt

Every operation of the installed TensorFlow was reviewed for what its kernel does besides computing:
the lists here are what the review took out of the harmless ones, each with the reason. A new
version's operations must be reviewed before this is run again: they would count as harmless.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

# kind: operations. The kinds are explained in safemodel.scan.graph_rules.
REVIEWED = {
    # Reads a file whose name is an input or an attribute.
    "reads": """CSVDataset CSVDatasetV2 DTensorRestoreV2 DecodeProtoV2 EncodeProto
        ExperimentalCSVDataset ExperimentalLMDBDataset ExperimentalMatchingFilesDataset
        ExperimentalSqlDataset FixedLengthRecordDataset FixedLengthRecordDatasetV2
        FixedLengthRecordReader FixedLengthRecordReaderV2 FixedUnigramCandidateSampler
        GenerateVocabRemapping ImmutableConst ImportEvent LMDBDataset LMDBReader
        ListSnapshotChunksDataset LoadAndRemapMatrix LoadDataset MatchingFiles
        MatchingFilesDataset ReadFile RecordInput Skipgram SnapshotChunkDataset
        SnapshotDatasetReader SnapshotNestedDatasetReader SqlDataset TFRecordDataset
        TFRecordDatasetV2 TFRecordReader TFRecordReaderV2 TextLineDataset TextLineReader
        TextLineReaderV2 WholeFileReader WholeFileReaderV2""",
    # Writes, creates or deletes files.
    "writes": """CalibrationStatisticsSaver CreateSummaryDbWriter CreateSummaryFileWriter
        DatasetToTFRecord DistributedSave DumpTensor ExperimentalDatasetToTFRecord SaveDataset
        SaveDatasetV2 SaveSlices SnapshotDataset SnapshotDatasetV2 WriteFile""",
    # Runs code that is not in the graph: Python, a custom call, a graph from a string.
    "runs": """DatasetFromGraph EagerPyFunc PyFunc PyFuncStateless XlaCustomCall XlaCustomCallV2
        FileSystemSetConfiguration MlirPassthroughOp XlaHostCompute""",
    # Listens or connects.
    "connects": """BigQueryReader DataServiceDataset DataServiceDatasetV2 DataServiceDatasetV3
        DataServiceDatasetV4 DeleteRpcFutureResource RegisterDataset RegisterDatasetV2 RpcCall
        RpcCheckStatus RpcClient RpcGetValue RpcServer RpcServerRegister RpcServerStart TryRpc""",
    # Saves and restores variables: every SavedModel has some, fed with the name of its own files.
    "saver": """MergeV2Checkpoints Restore RestoreSlice RestoreV2 Save SaveV2""",
    # Fills a table from a file: an asset of the SavedModel itself, or any other file.
    "table": """InitializeTableFromTextFile InitializeTableFromTextFileV2""",
    # Sends its input to a file or server if an attribute says so.
    "debug": """Copy CopyHost DebugIdentity DebugIdentityV2 DebugIdentityV3 DebugNanCount
        DebugNumericSummary DebugNumericSummaryV2 PrintV2""",
    # Keeps what it read in a file, if an input names one.
    "cache": """CacheDataset CacheDatasetV2""",
    # Ends the process.
    "ends": "Abort",
}

# Functions: these namespaces compute; of the top level and of tf.io only what is listed.
NAMESPACES = """__operators__ bitwise debugging dtypes image linalg math nn quantization ragged
    random sets signal sparse strings""".split()  # noqa: SIM905
TOP = """abs acos acosh add add_n argmax argmin argsort as_string asin asinh atan atan2 atanh
    batch_to_space boolean_mask broadcast_dynamic_shape broadcast_static_shape broadcast_to cast
    clip_by_global_norm clip_by_norm clip_by_value complex concat constant
    convert_to_tensor cos cosh cumsum divide dynamic_partition dynamic_stitch edit_distance eig
    eigvals einsum ensure_shape equal exp expand_dims extract_volume_patches eye fill fingerprint
    floor gather gather_nd greater greater_equal guarantee_const hessians histogram_fixed_width
    histogram_fixed_width_bins identity identity_n is_tensor less less_equal linspace logical_and
    logical_not logical_or matmul matrix_square_root maximum meshgrid minimum multiply negative norm
    not_equal one_hot ones ones_like pad parallel_stack pow range rank realdiv reduce_all reduce_any
    reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat
    required_space_to_batch_paddings reshape reverse reverse_sequence roll round saturate_cast
    scalar_mul scatter_nd searchsorted sequence_mask shape shape_n sigmoid sign sin sinh size slice
    sort space_to_batch space_to_batch_nd split sqrt square squeeze stack stop_gradient
    strided_slice subtract tan tanh tensor_scatter_nd_add tensor_scatter_nd_max
    tensor_scatter_nd_min tensor_scatter_nd_sub tensor_scatter_nd_update tensordot tile timestamp
    transpose truediv truncatediv truncatemod unique unique_with_counts unravel_index unstack where
    zeros zeros_like add_v2 assert_equal batch_gather bincount cholesky cross cumprod depth_to_space
    digamma div div_no_nan erf erfc expm1 fft floordiv floormod igamma invert_permutation is_finite
    is_inf is_nan lbeta lgamma log log1p log_sigmoid matrix_band_part matrix_determinant matrix_diag
    matrix_inverse mod qr quantize rint rsqrt segment_max segment_mean segment_min segment_sum
    setdiff1d space_to_depth squared_difference substr svd to_double to_float to_int32 to_int64
    top_k trace unsorted_segment_max unsorted_segment_sum xdivy zeta""".split()  # noqa: SIM905
IO = "decode_and_crop_jpeg decode_base64 decode_bmp decode_csv decode_gif decode_image decode_jpeg \
    decode_png decode_raw encode_base64 encode_jpeg encode_png extract_jpeg_shape is_jpeg \
    parse_tensor serialize_tensor"
# They take functions, a file with a vocabulary, or set something for the whole process.
NOT_PLAIN = re.compile(
    r"\.(enable|disable|set_|get_|Assert|is_built|print|map_|fixed_unigram|create_rng)"
    r"|experimental|assign|_fn$|_rnn$|map_"
)


def operations() -> list[str]:
    """Those of a plain build, without the ones that only its own tests register."""
    import tensorflow
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session as session

    listed = op_def_pb2.OpList()
    listed.ParseFromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
    public = set(dir(tensorflow.raw_ops))
    return [
        one.name
        for one in listed.op
        if one.name in public or re.match(r"_(Fused|Arg$|Retval$|SwitchN$|If$|While$)", one.name)
    ]


def functions() -> set[str]:
    """Names by which Keras 2 stores a call of TensorFlow's own functions (TFOpLambda)."""
    from tensorflow.python.util import tf_export

    found = set()
    mapping: dict[str, Any] = tf_export._NAME_TO_SYMBOL_MAPPING
    for name, symbol in mapping.items():
        plain = name.removeprefix("compat.v1.")
        space, _, last = plain.rpartition(".")
        if isinstance(symbol, type) or not callable(symbol) or NOT_PLAIN.search(f".{plain}"):
            continue
        root = space.partition(".")[0]
        if root in NAMESPACES or last in {"": TOP, "io": IO.split()}.get(space, ()):
            found.add(plain)
    return found


def main() -> None:
    import tensorflow

    known = set(operations())
    taken: set[str] = set()
    out = [f"# tensorflow {tensorflow.__version__}; written by tests/census/tensorflow_names.py"]
    for kind, names in REVIEWED.items():
        missing = set(names.split()) - known
        if missing:
            print(f"not operations: {missing}", file=sys.stderr)
        taken |= set(names.split())
        out += _section(kind, set(names.split()))
    out += _section("harmless", known - taken)
    out += _section("function", functions())
    print("\n".join(out))


def _section(kind: str, names: set[str]) -> list[str]:
    lines = [f"[{kind}]"]
    line = ""
    for name in sorted(names):
        if len(line) + len(name) > 98:
            lines.append(line)
            line = ""
        line += f"{' ' if line else ''}{name}"
    return [*lines, line]


if __name__ == "__main__":
    main()
