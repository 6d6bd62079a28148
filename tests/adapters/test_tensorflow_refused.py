"""Functions that reach files, the network or Python: refused when they are saved or converted.

None of them is run, or changes anything, and nothing is read that they name.
"""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

import safemodel as sm
from safemodel.adapters.tensorflow.table import table
from safemodel.errors import SafemodelError

from .test_tensorflow_hostile import attack

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="needs tensorflow"
)

# Operators that reach something, by what it is. Those of TPUs and all that begin with an underline
# (which no graph of a user has) are tested by rule.
REACHING = {
    "files": """
        ReadFile WriteFile MatchingFiles Save SaveV2 SaveSlices Restore RestoreV2 RestoreSlice
        MergeV2Checkpoints ShardedFilename ShardedFilespec LoadAndRemapMatrix RecordInput
        DistributedSave DTensorRestoreV2 FileSystemSetConfiguration
        WholeFileReader WholeFileReaderV2 TextLineReader TextLineReaderV2 TFRecordReader
        TFRecordReaderV2 FixedLengthRecordReader FixedLengthRecordReaderV2 LMDBReader
        IdentityReader IdentityReaderV2 ReaderRead ReaderReadV2 ReaderReadUpTo ReaderReadUpToV2
        InitializeTableFromTextFile InitializeTableFromTextFileV2 DecodeProtoV2 EncodeProto
        GenerateVocabRemapping DumpTensor DebugIdentity DebugIdentityV2 DebugIdentityV3
        DebugNanCount DebugNumericSummary DebugNumericSummaryV2 Print PrintV2 DatasetToTFRecord
        SaveDataset SaveDatasetV2 LoadDataset SnapshotDataset SnapshotDatasetV2 CacheDataset
        CacheDatasetV2 TextLineDataset TFRecordDataset TFRecordDatasetV2 CSVDataset CSVDatasetV2
        FixedLengthRecordDataset FixedLengthRecordDatasetV2 LMDBDataset SqlDataset
        MatchingFilesDataset CalibrationStatisticsSaver
    """,
    "summaries": """
        SummaryWriter CreateSummaryFileWriter CreateSummaryDbWriter WriteSummary WriteScalarSummary
        WriteHistogramSummary WriteImageSummary WriteAudioSummary WriteGraphSummary
        WriteRawProtoSummary FlushSummaryWriter CloseSummaryWriter ScalarSummary HistogramSummary
        ImageSummary AudioSummary AudioSummaryV2 TensorSummary TensorSummaryV2 MergeSummary
    """,
    "Python": "PyFunc PyFuncStateless EagerPyFunc",
    "the network": """
        RpcClient RpcServer RpcServerStart RpcServerRegister RpcCall RpcCheckStatus RpcGetValue
        Send Recv RemoteCall DataServiceDataset DataServiceDatasetV2 DataServiceDatasetV3
        DataServiceDatasetV4 RegisterDataset RegisterDatasetV2 CollectiveReduce CollectiveReduceV2
        CollectiveReduceV3 CollectiveGather CollectiveGatherV2 CollectiveBcastSend
        CollectiveBcastSendV2 CollectiveBcastRecv CollectiveBcastRecvV2 CollectiveAllToAllV2
        CollectiveAllToAllV3 CollectivePermute CollectiveInitializeCommunicator NcclAllReduce
        NcclBroadcast NcclReduce
    """,
    "code": """
        XlaLaunch XlaLaunchV2 XlaCallModule XlaCustomCall XlaCustomCallV2 XlaHostCompute
        SymbolicGradient BatchFunction TPUPartitionedCall GeneratorDataset ReduceDataset MapDataset
        ParallelMapDatasetV2 OneShotIterator
    """,
    "other objects": """
        VarHandleOp Variable VariableV2 TemporaryVariable DestroyTemporaryVariable
        DestroyResourceOp StubResourceHandleOp MakeWeakResourceHandle ConsumeMutexLock MutexV2
        MutexLock GetSessionHandle GetSessionHandleV2 GetSessionTensor DeleteSessionTensor
        HashTable HashTableV2 MutableHashTable MutableHashTableV2 MutableDenseHashTable
        MutableDenseHashTableV2 AnonymousHashTable AnonymousMutableHashTable LookupTableFind
        LookupTableFindV2 LookupTableInsert LookupTableInsertV2 LookupTableImportV2
        LookupTableExportV2 LookupTableRemoveV2 LookupTableSizeV2 InitializeTable InitializeTableV2
        FIFOQueue FIFOQueueV2 PaddingFIFOQueueV2 PriorityQueueV2 RandomShuffleQueueV2
        QueueEnqueueV2 QueueDequeueV2 QueueCloseV2 Barrier BarrierInsertMany BarrierTakeMany Stack
        StackV2 StackPush StackPushV2 StackPop StackPopV2 Stage Unstage MapStage OrderedMapStage
        TensorArrayV3 TensorArrayWriteV3 TensorArrayReadV3 Iterator IteratorV2 IteratorGetNext
        IteratorFromStringHandle IteratorFromStringHandleV2 IteratorToStringHandle MakeIterator
        AnonymousIterator AnonymousIteratorV3 MultiDeviceIterator ConditionalAccumulator
        SparseConditionalAccumulator AccumulatorTakeGradient BoostedTreesEnsembleResourceHandleOp
        StatsAggregatorHandle ExperimentalThreadPoolHandle ThreadPoolHandle
    """,
    "parsers of images and sounds": """
        DecodeImage DecodeJpeg DecodePng DecodeGif DecodeBmp DecodeWebP DecodeJxl DecodeWav
        DecodeAndCropJpeg EncodeJpeg EncodePng EncodeWav ExtractJpegShape
    """,
    "the process": "Abort Timestamp ConfigureDistributedTPU ShutdownDistributedTPU",
}


@pytest.mark.parametrize("what", REACHING)
def test_nothing_that_reaches_something_is_in_the_table(what: str) -> None:
    names = REACHING[what].split()
    assert len(names) >= 3
    assert set(names) & table().keys() == set()


def test_what_is_hidden_or_of_another_machine_is_not_in_the_table() -> None:
    parts = ("TPU", "Tpu", "Xla", "Collective", "Nccl", "Dataset", "Iterator", "Queue", "Lookup",
             "Summary", "PyFunc", "Rpc", "Checkpoint", "Mutex", "Anonymous", "DTensor")  # fmt: skip
    assert [name for name in table() if name.startswith("_") or any(p in name for p in parts)] == []


@needs_tensorflow
def test_functions_that_reach_something_can_not_be_saved(tmp_path: Path) -> None:
    found = attack(tmp_path, "saved")
    operators = _forbidden()
    assert found.keys() == operators.keys()
    for name, (became, _) in found.items():
        assert became.startswith("refused UnsavableError"), (name, became)
        assert operators[name] in became, (name, became)


@needs_tensorflow
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_saved_model_that_reaches_something_becomes_a_program(tmp_path: Path) -> None:
    found = attack(tmp_path, "exported")
    refused = []
    for name in found:
        target = tmp_path / "out.safemodel"
        try:
            sm.convert(tmp_path / "models" / name, target, signer=None, overwrite=True)
        except SafemodelError:
            refused.append(name)
            continue
        with sm.open(target, trust=sm.UNSIGNED) as bundle:
            assert bundle.manifest.architecture.keys() == {"graph"}, name
    assert len(refused) > len(found) / 2
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["secret", "table"]


def _forbidden() -> dict[str, str]:
    """The functions of tensorflow_forbidden.py and their operators, without TensorFlow."""
    source = Path(__file__).with_name("tensorflow_forbidden.py").read_text()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.AnnAssign) and statement.target.id == "FORBIDDEN":  # type: ignore[union-attr]
            both = zip(statement.value.keys, statement.value.values, strict=True)  # type: ignore[union-attr]
            return {key.value: value.elts[0].value for key, value in both}
    raise AssertionError("no FORBIDDEN")
