"""Functions of TensorFlow that reach files, the network, Python, or what is not theirs.

`FORBIDDEN` are functions of a tensor and of a folder, by what they do, each with the operator that
must keep it out. `FILES` of the folder are what they would read, make or change.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

raw = tf.raw_ops
SECRET = b"secret"


def prepare(folder: Path) -> None:
    """What is there to be read."""
    folder.mkdir(parents=True)
    (folder / "secret").write_bytes(SECRET)
    (folder / "table").write_bytes(b"a\t1\nb\t2\n")


def untouched(folder: Path) -> bool:
    """Nothing was made or changed."""
    names = sorted(path.name for path in folder.iterdir())
    return names == ["secret", "table"] and (folder / "secret").read_bytes() == SECRET


def _string(value: Any) -> Any:
    return tf.constant(str(value))


def _read(x: Any, at: Path) -> Any:
    return x + tf.cast(tf.strings.length(tf.io.read_file(_string(at / "secret"))), tf.float32)


def _write(x: Any, at: Path) -> Any:
    tf.io.write_file(_string(at / "made"), tf.strings.as_string(tf.reduce_sum(x)))
    return x


def _find(x: Any, at: Path) -> Any:
    return x + tf.cast(tf.size(tf.io.matching_files(_string(at / "*"))), tf.float32)


def _save(x: Any, at: Path) -> Any:
    saved = raw.SaveV2(
        prefix=_string(at / "made"), tensor_names=["x"], shape_and_slices=[""], tensors=[x]
    )
    with tf.control_dependencies([saved]):  # which TensorFlow does not see to
        return tf.identity(x)


def _save_old(x: Any, at: Path) -> Any:
    raw.Save(filename=_string(at / "made"), tensor_names=["x"], data=[x])
    return x


def _restore(x: Any, at: Path) -> Any:
    found = raw.RestoreV2(
        prefix=_string(at / "secret"),
        tensor_names=["x"],
        shape_and_slices=[""],
        dtypes=[tf.float32],
    )
    return x + found[0]


def _restore_old(x: Any, at: Path) -> Any:
    return x + raw.Restore(file_pattern=_string(at / "secret"), tensor_name="x", dt=tf.float32)


def _merge(x: Any, at: Path) -> Any:
    raw.MergeV2Checkpoints(
        checkpoint_prefixes=[str(at / "secret")], destination_prefix=_string(at / "made")
    )
    return x


def _remap(x: Any, at: Path) -> Any:
    return x + raw.LoadAndRemapMatrix(
        ckpt_path=_string(at / "secret"), old_tensor_name="x", row_remapping=[0], col_remapping=[0],
        initializing_values=[0.0], num_rows=1, num_cols=1,
    )  # fmt: skip


def _print(x: Any, at: Path) -> Any:
    tf.print(x, output_stream=f"file://{at / 'made'}")
    return x


def _print_old(x: Any, at: Path) -> Any:
    return raw.Print(input=x, data=[x])


def _python(x: Any, at: Path) -> Any:
    return tf.py_function(lambda y: (at / "made").touch() or y, [x], tf.float32)


def _numpy(x: Any, at: Path) -> Any:
    return tf.numpy_function(lambda y: (at / "made").touch() or y, [x], tf.float32)


def _python_by_name(x: Any, at: Path) -> Any:
    return raw.PyFunc(input=[x], token="pyfunc_0", Tout=[tf.float32])[0]


def _python_stateless(x: Any, at: Path) -> Any:
    return raw.PyFuncStateless(input=[x], token="pyfunc_0", Tout=[tf.float32])[0]


def _lines(x: Any, at: Path) -> Any:
    lines = tf.data.TextLineDataset(str(at / "secret"))
    return lines.reduce(x, lambda total, line: total + tf.cast(tf.strings.length(line), tf.float32))


def _records(x: Any, at: Path) -> Any:
    records = tf.data.TFRecordDataset(str(at / "secret"))
    return records.reduce(x, lambda total, record: total + 1.0)


def _dataset(x: Any, at: Path) -> Any:
    return tf.data.Dataset.range(3).reduce(x, lambda total, n: total + tf.cast(n, tf.float32))


def _cache(x: Any, at: Path) -> Any:
    rows = tf.data.Dataset.range(3).cache(str(at / "made"))
    return rows.reduce(x, lambda total, n: total + tf.cast(n, tf.float32))


def _table_of_file(x: Any, at: Path) -> Any:
    handle = raw.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    raw.InitializeTableFromTextFileV2(
        table_handle=handle, filename=_string(at / "table"), key_index=-2, value_index=-1
    )
    return x


def _table(x: Any, at: Path) -> Any:
    handle = raw.MutableHashTableV2(key_dtype=tf.int64, value_dtype=tf.float32, shared_name="mine")
    raw.LookupTableInsertV2(table_handle=handle, keys=tf.constant([1], tf.int64), values=[2.0])
    return x


def _summary(x: Any, at: Path) -> Any:
    writer = raw.SummaryWriter(shared_name="w")
    raw.CreateSummaryFileWriter(
        writer=writer, logdir=_string(at / "made"), max_queue=1, flush_millis=1, filename_suffix=""
    )
    return x


def _queue(x: Any, at: Path) -> Any:
    queue = raw.FIFOQueueV2(component_types=[tf.float32], shared_name="q")
    raw.QueueEnqueueV2(handle=queue, components=[x])
    return x


def _reader(x: Any, at: Path) -> Any:
    reader = raw.WholeFileReaderV2()
    queue = raw.FIFOQueueV2(component_types=[tf.string])
    raw.QueueEnqueueV2(handle=queue, components=[_string(at / "secret")])
    return x + tf.cast(
        tf.strings.length(raw.ReaderReadV2(reader_handle=reader, queue_handle=queue).value), x.dtype
    )


def _record_input(x: Any, at: Path) -> Any:
    return x + tf.cast(tf.size(raw.RecordInput(file_pattern=str(at / "*"))), tf.float32)


def _debug(x: Any, at: Path) -> Any:
    return raw.DebugIdentityV2(input=x, tfdbg_context_id="c", debug_urls=[f"file://{at / 'made'}"])


def _debug_old(x: Any, at: Path) -> Any:
    return raw.DebugIdentity(
        input=x, tensor_name="x:0", debug_urls=["grpc://127.0.0.1:9"], gated_grpc=False
    )


def _node(name: str, inputs: list[Any], types: list[Any], **attributes: Any) -> Any:
    """A node of an operator that TensorFlow gives no function for."""
    graph = tf.compat.v1.get_default_graph()
    given = {
        key: tf.compat.v1.AttrValue(s=value.encode()) if isinstance(value, str) else value
        for key, value in attributes.items()
    }
    return graph.create_op(name, inputs, types, attrs=given)


def _dump(x: Any, at: Path) -> Any:
    _node(
        "DumpTensor", [x], [], file_name=f"{at / 'made'}", tensor_name="x", log_dir_path=f"{at}",
        func_name="f", node_name="n", enabled=tf.compat.v1.AttrValue(b=True),
        T=tf.compat.v1.AttrValue(type=tf.float32.as_datatype_enum),
    )  # fmt: skip
    return x


def _variable_of_another(x: Any, at: Path) -> Any:
    handle = raw.VarHandleOp(dtype=tf.float32, shape=[], shared_name="w", container="")
    return x + raw.ReadVariableOp(resource=handle, dtype=tf.float32)


def _stub(x: Any, at: Path) -> Any:
    handle = _node("StubResourceHandleOp", [], [tf.resource], shared_name="w", container="")
    return x + raw.ReadVariableOp(resource=handle.outputs[0], dtype=tf.float32)


def _temporary_variable(x: Any, at: Path) -> Any:
    return raw.DestroyTemporaryVariable(
        ref=raw.TemporaryVariable(shape=[], dtype=tf.float32, var_name="v"), var_name="v"
    )


def _session_handle(x: Any, at: Path) -> Any:
    return raw.GetSessionTensor(handle=raw.GetSessionHandle(value=x), dtype=tf.float32)


def _stage(x: Any, at: Path) -> Any:
    raw.Stage(values=[x], shared_name="s")
    return x


def _stack(x: Any, at: Path) -> Any:
    handle = raw.StackV2(max_size=3, elem_type=tf.float32)
    return raw.StackPushV2(handle=handle, elem=x)


def _mutex(x: Any, at: Path) -> Any:
    raw.MutexLock(mutex=raw.MutexV2(shared_name="m"))
    return x


def _barrier(x: Any, at: Path) -> Any:
    raw.BarrierClose(handle=raw.Barrier(component_types=[tf.float32]))
    return x


def _far_call(x: Any, at: Path) -> Any:
    return raw.RemoteCall(
        target="/job:localhost/replica:0/task:0/device:CPU:0",
        args=[x],
        Tout=[tf.float32],
        f=tf.function(tf.sin).get_concrete_function(x),
    )[0]


def _send(x: Any, at: Path) -> Any:
    raw.CollectiveReduceV2(
        input=x, group_size=2, group_key=1, instance_key=1, ordering_token=[], merge_op="Add",
        final_op="Id",
    )  # fmt: skip
    return x


def _configure(x: Any, at: Path) -> Any:
    raw.FileSystemSetConfiguration(scheme="file", key="k", value=str(at))
    return x


def _xla_call(x: Any, at: Path) -> Any:
    from tensorflow.compiler.tf2xla.python import xla

    return xla.call_module([x], version=9, module=b"ML", Tout=[tf.float32], Sout=[[]])[0]


def _image(x: Any, at: Path) -> Any:
    data = tf.constant(b"\x89PNG\r\n\x1a\n")
    return x + tf.cast(tf.size(tf.io.decode_image(data, expand_animations=False)), tf.float32)


def _sound(x: Any, at: Path) -> Any:
    return x + tf.reduce_sum(tf.audio.decode_wav(tf.constant(b"RIFF")).audio)


def _proto(x: Any, at: Path) -> Any:
    found = raw.DecodeProtoV2(
        bytes=[b""], message_type="m.M", field_names=["a"], output_types=[tf.float32],
        descriptor_source=str(at / "secret"),
    )  # fmt: skip
    return x + tf.reduce_sum(found.values[0])


def _proto_out(x: Any, at: Path) -> Any:
    found = raw.EncodeProto(
        sizes=[[1]], values=[[[1.0]]], field_names=["a"], message_type="m.M",
        descriptor_source=str(at / "secret"),
    )  # fmt: skip
    return x + tf.cast(tf.strings.length(found)[0], tf.float32)


def _audio_summary(x: Any, at: Path) -> Any:
    return x + tf.cast(tf.strings.length(raw.TensorSummary(tensor=x)), tf.float32)


def _iterator(x: Any, at: Path) -> Any:
    handle = raw.IteratorFromStringHandleV2(
        string_handle="abc", output_types=[tf.float32], output_shapes=[[]]
    )
    return raw.IteratorGetNext(iterator=handle, output_types=[tf.float32], output_shapes=[[]])[0]


def _conditional(x: Any, at: Path) -> Any:
    """A read that no test call would come to."""
    return tf.cond(tf.reduce_sum(x) > 1e30, lambda: _read(x, at), lambda: x)


def _looped(x: Any, at: Path) -> Any:
    return tf.while_loop(lambda i, x: i < 1, lambda i, x: (i + 1, _read(x, at)), (0, x))[1]


def _called(x: Any, at: Path) -> Any:
    inner = tf.function(lambda x: tf.function(lambda x: _read(x, at))(x))
    return inner(x)


def _mapped(x: Any, at: Path) -> Any:
    return tf.map_fn(lambda one: _read(one, at), x[None])[0]


def _controlled(x: Any, at: Path) -> Any:
    """A write that only a control edge keeps."""
    with tf.control_dependencies([tf.io.write_file(_string(at / "made"), tf.constant("x"))]):
        return tf.identity(x)


FORBIDDEN: dict[str, tuple[str, Callable[[Any, Path], Any]]] = {
    "read": ("ReadFile", _read),
    "write": ("WriteFile", _write),
    "find": ("MatchingFiles", _find),
    "save": ("SaveV2", _save),
    "save, old": ("Save", _save_old),
    "restore": ("RestoreV2", _restore),
    "restore, old": ("Restore", _restore_old),
    "merge checkpoints": ("MergeV2Checkpoints", _merge),
    "load a matrix": ("LoadAndRemapMatrix", _remap),
    "print to a file": ("PrintV2", _print),
    "print": ("Print", _print_old),
    "Python": ("EagerPyFunc", _python),
    "NumPy": ("PyFunc", _numpy),
    "Python by name": ("PyFunc", _python_by_name),
    "Python without state": ("PyFuncStateless", _python_stateless),
    "lines of a file": ("TensorSliceDataset", _lines),
    "records of a file": ("TensorSliceDataset", _records),
    "a data set": ("RangeDataset", _dataset),
    "a data set kept in a file": ("RangeDataset", _cache),
    "a table of a file": ("HashTableV2", _table_of_file),
    "a table": ("MutableHashTableV2", _table),
    "a summary": ("SummaryWriter", _summary),
    "a summary as text": ("TensorSummary", _audio_summary),
    "a queue": ("FIFOQueueV2", _queue),
    "a reader of files": ("WholeFileReaderV2", _reader),
    "records as input": ("RecordInput", _record_input),
    "debug to a file": ("DebugIdentityV2", _debug),
    "debug to the network": ("DebugIdentity", _debug_old),
    "dump to a file": ("DumpTensor", _dump),
    "a variable by name": ("VarHandleOp", _variable_of_another),
    "a stub of a resource": ("StubResourceHandleOp", _stub),
    "a temporary variable": ("TemporaryVariable", _temporary_variable),
    "a handle of the session": ("GetSessionHandle", _session_handle),
    "a stage": ("Stage", _stage),
    "a stack": ("StackV2", _stack),
    "a lock": ("MutexV2", _mutex),
    "a barrier": ("Barrier", _barrier),
    "a call elsewhere": ("RemoteCall", _far_call),
    "a collective": ("CollectiveReduceV2", _send),
    "file systems": ("FileSystemSetConfiguration", _configure),
    "code for XLA": ("XlaCallModule", _xla_call),
    "an image": ("DecodeImage", _image),
    "a sound": ("DecodeWav", _sound),
    "a protocol of a file": ("DecodeProtoV2", _proto),
    "a protocol of a file, out": ("EncodeProto", _proto_out),
    "an iterator": ("IteratorFromStringHandleV2", _iterator),
    "read in a branch": ("ReadFile", _conditional),
    "read in a loop": ("ReadFile", _looped),
    "read in a call of a call": ("ReadFile", _called),
    "read in a map": ("ReadFile", _mapped),
    "write for control": ("WriteFile", _controlled),
}


def module(name: str, folder: Path) -> tf.Module:
    """A module whose only entry does that."""
    _, function = FORBIDDEN[name]

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(2.0, name="w")

        @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            return function(x * self.w, folder)

    return Module()
