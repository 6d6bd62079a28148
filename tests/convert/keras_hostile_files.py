"""Hostile files of Keras: `.h5` and `.keras` that lie, lead elsewhere, or are larger than they look.

`CASES` are functions that give the bytes of one; `CONVERTS` are those that are no lie in themselves
and become archives, which a load then refuses. `MARKER` stands for a file that must not be touched.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

MARKER = "/tmp/safemodel-keras-file-marker"
FOLDER = Path(__file__).with_name("keras2")
BASE = (FOLDER / "first.h5").read_bytes()
KERNEL = "model_weights/dense/dense/kernel:0"
CASES: dict[str, Callable[[], bytes]] = {}
CONVERTS: set[str] = set()


def case(function: Callable[[], bytes]) -> Callable[[], bytes]:
    CASES[function.__name__] = function
    return function


def converts(function: Callable[[], bytes]) -> Callable[[], bytes]:
    CONVERTS.add(function.__name__)
    return case(function)


class Edited:
    """A full model of Keras, opened to be changed; `bytes` are what it became."""

    def __init__(self, base: bytes = BASE) -> None:
        self.stream = io.BytesIO(base)

    @contextmanager
    def open(self) -> Iterator[Any]:
        with h5py.File(self.stream, "r+") as file:
            yield file

    @property
    def bytes(self) -> bytes:
        return self.stream.getvalue()


def edited(change: Callable[[Any], object]) -> bytes:
    one = Edited()
    with one.open() as file:
        change(file)
    return one.bytes


def instead(change: Callable[[Any], object]) -> bytes:
    """The kernel of the first layer made by somebody else."""

    def run(file: Any) -> None:
        del file[KERNEL]
        change(file)

    return edited(run)


def attribute(owner: str, name: str, value: Any, **more: Any) -> bytes:
    def run(file: Any) -> None:
        del file[owner].attrs[name]
        file[owner].attrs.create(name, value, **more)

    return edited(run)


# Elsewhere


@case
def external_link() -> bytes:
    return instead(lambda file: file.__setitem__(KERNEL, h5py.ExternalLink(MARKER, "/x")))


@case
def external_link_of_the_weights() -> bytes:
    def run(file: Any) -> None:
        del file["model_weights"]
        file["model_weights"] = h5py.ExternalLink(MARKER, "/model_weights")

    return edited(run)


@case
def external_link_nobody_asks_for() -> bytes:
    return edited(lambda file: file.__setitem__("more", h5py.ExternalLink("/etc/passwd", "/")))


@case
def external_storage() -> bytes:
    return instead(
        lambda file: file.create_dataset(KERNEL, (5, 8), "<f4", external=[(MARKER, 0, 160)])
    )


@case
def external_storage_of_the_optimizer() -> bytes:
    path = "optimizer_weights/iteration:0"

    def run(file: Any) -> None:
        del file[path]
        file.create_dataset(path, (1,), "<i8", external=[("/etc/passwd", 0, 8)])

    return edited(run)


@case
def virtual_dataset() -> bytes:
    layout = h5py.VirtualLayout((5, 8), "<f4")
    layout[:] = h5py.VirtualSource(MARKER, "x", (5, 8))
    return instead(lambda file: file.create_virtual_dataset(KERNEL, layout))


@case
def virtual_dataset_of_itself() -> bytes:
    layout = h5py.VirtualLayout((5, 8), "<f4")
    layout[:] = h5py.VirtualSource(".", KERNEL, (5, 8))
    return instead(lambda file: file.create_virtual_dataset(KERNEL, layout))


@case
def soft_links_in_a_circle() -> bytes:
    def run(file: Any) -> None:
        file["model_weights/a"] = h5py.SoftLink("/model_weights/b")
        file["model_weights/b"] = h5py.SoftLink("/model_weights/a")
        file[KERNEL] = h5py.SoftLink("/model_weights/a")

    return instead(run)


@case
def a_soft_link() -> bytes:
    return instead(
        lambda file: file.__setitem__(
            KERNEL, h5py.SoftLink("/optimizer_weights/Adam/m/dense/kernel:0")
        )
    )


@case
def one_dataset_for_two_weights() -> bytes:
    return instead(
        lambda file: file.__setitem__(KERNEL, file["optimizer_weights/Adam/m/dense/kernel:0"])
    )


@case
def groups_in_a_circle() -> bytes:
    def run(file: Any) -> None:
        del file["model_weights/dense/dense"]
        file["model_weights/dense/dense"] = file["model_weights"]

    return edited(run)


# Larger than they are


def stored(shape: tuple[int, ...], dtype: str = "<f4", **more: Any) -> bytes:
    return instead(lambda file: file.create_dataset(KERNEL, shape, dtype, **more))


@case
def a_huge_shape() -> bytes:
    return stored((2**20, 2**20), chunks=(1, 2**10))


@case
def a_shape_that_overflows() -> bytes:
    return stored((2**31, 2**31, 2**2), chunks=(1, 1, 1))


@case
def a_fill_value_for_everything() -> bytes:
    return stored((2**18, 2**12), chunks=(2**8, 2**8), fillvalue=1.0)


@case
def huge_chunks() -> bytes:
    return stored((2**14, 2**14), chunks=(2**14, 2**13), compression="gzip")


@converts
def zeros_of_another_shape() -> bytes:
    zeros = np.zeros((2**11, 2**12), "<f4")
    chunked = {"chunks": (2**9, 2**12), "compression": 1}
    return instead(lambda file: file.create_dataset(KERNEL, data=zeros, **chunked))


@case
def many_dimensions() -> bytes:
    return stored((1,) * 32)


@converts
def nothing_in_it() -> bytes:
    return stored((0, 8))


# Of other types


def typed(dtype: Any, value: Any = None) -> bytes:
    return instead(lambda file: file.create_dataset(KERNEL, (5, 8), dtype, data=value))


@case
def compound() -> bytes:
    return typed(np.dtype([("a", "<f4"), ("b", "<f4")]))


@case
def variable_length() -> bytes:
    return typed(h5py.vlen_dtype(np.dtype("<f4")))


@case
def variable_text() -> bytes:
    return typed(h5py.string_dtype())


@case
def fixed_text() -> bytes:
    return typed("S4")


@case
def references() -> bytes:
    return typed(h5py.ref_dtype)


@case
def regions() -> bytes:
    return typed(h5py.regionref_dtype)


@case
def opaque() -> bytes:
    return typed(np.dtype("V4"))


@case
def arrays_in_values() -> bytes:
    return typed(np.dtype(("<f4", (3,))))


@case
def enumerated() -> bytes:
    return typed(h5py.enum_dtype({"a": 0, "b": 1}, "i4"))


@case
def long_double() -> bytes:
    return typed(np.longdouble)


@converts
def integers() -> bytes:
    return typed("<i4", np.zeros((5, 8)))


@converts
def unsigned_integers() -> bytes:
    return typed("<u8", np.zeros((5, 8)))


@case
def no_values_at_all() -> bytes:
    return instead(lambda file: file.create_dataset(KERNEL, data=h5py.Empty("<f4")))


@case
def a_group_where_values_should_be() -> bytes:
    return instead(lambda file: file.create_group(KERNEL))


@case
def a_type_where_values_should_be() -> bytes:
    return instead(lambda file: file.__setitem__(KERNEL, np.dtype("<f4")))


@case
def another_filter() -> bytes:
    return stored((5, 8), compression="lzf", chunks=(5, 8))


@case
def a_scale_offset() -> bytes:
    return stored((5, 8), scaleoffset=2, chunks=(5, 8))


@case
def an_unknown_filter() -> bytes:
    data = stored((5, 8), compression="gzip", chunks=(5, 8))
    found = data.find(struct.pack("<HHHH", 1, 8, 1, 1))  # deflate, its name of 8 bytes, one value
    assert found > 0
    return data[:found] + struct.pack("<H", 32015) + data[found + 2 :]


# Attributes


@case
def a_number_of_a_configuration() -> bytes:
    return attribute("/", "model_config", 3)


@case
def a_list_of_configurations() -> bytes:
    return attribute("/", "model_config", ["{}", "{}"])


@case
def a_configuration_that_is_no_json() -> bytes:
    return attribute("/", "model_config", "{'class_name': __import__('os')}")


@case
def a_configuration_that_says_twice() -> bytes:
    return attribute(
        "/", "model_config", '{"class_name": "Dense", "class_name": "Lambda", "config": {}}'
    )


@case
def a_configuration_without_end() -> bytes:
    return attribute("/", "model_config", "[" * 50_000)


@case
def a_deep_configuration() -> bytes:
    text = '{"class_name":"Sequential","config":{"layers":[' * 90 + "]}}" * 90
    return attribute("/", "model_config", text)


@case
def a_configuration_that_is_no_text() -> bytes:
    return attribute("/", "model_config", np.bytes_(b"\xff\xfe{}"))


@case
def a_configuration_of_nan() -> bytes:
    text = json.dumps(configured(units=float("nan")))
    return attribute("/", "model_config", text)


@case
def names_that_are_numbers() -> bytes:
    return attribute("model_weights", "layer_names", [1, 2])


@case
def names_in_two_dimensions() -> bytes:
    return attribute("model_weights", "layer_names", np.array([[b"dense"], [b"dense_1"]]))


@case
def one_name_instead_of_a_list() -> bytes:
    return attribute("model_weights/dense", "weight_names", 7)


@case
def a_layer_twice() -> bytes:
    return attribute("model_weights", "layer_names", [b"dense", b"dense"])


@case
def a_weight_twice() -> bytes:
    return attribute("model_weights/dense", "weight_names", [b"dense/kernel:0", b"dense/kernel:0"])


@case
def a_weight_of_another_layer() -> bytes:
    names = [b"../dense_1/dense_1/kernel:0", b"dense/bias:0"]
    return attribute("model_weights/dense", "weight_names", names)


@case
def a_weight_by_its_whole_path() -> bytes:
    names = [b"/etc/passwd", b"/model_weights/dense/dense/bias:0"]
    return attribute("model_weights/dense", "weight_names", names)


@case
def two_lists_of_layers() -> bytes:
    return edited(lambda file: file.attrs.create("layer_names", [b"dense"]))


@case
def a_weight_that_is_not_there() -> bytes:
    return attribute("model_weights/dense", "weight_names", [b"dense/kernel:0", b"dense/other:0"])


@converts
def a_layer_less() -> bytes:
    return attribute("model_weights", "layer_names", [b"dense"])


@converts
def a_weight_less() -> bytes:
    return attribute("model_weights/dense", "weight_names", [b"dense/kernel:0"])


@converts
def weights_in_another_order() -> bytes:
    return attribute("model_weights/dense", "weight_names", [b"dense/bias:0", b"dense/kernel:0"])


@converts
def another_shape() -> bytes:
    return instead(lambda file: file.create_dataset(KERNEL, data=np.zeros((8, 5), "<f4")))


@converts
def a_larger_shape() -> bytes:
    return instead(lambda file: file.create_dataset(KERNEL, data=np.zeros((50, 80), "<f4")))


@converts
def a_configuration_of_larger_layers() -> bytes:
    return attribute("/", "model_config", json.dumps(configured(units=2**31 - 1)))


@converts
def another_configuration() -> bytes:
    return attribute("/", "model_config", json.dumps(configured("LSTM", units=8)))


def configured(kind: str = "Dense", **config: Any) -> Any:
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 5], "name": "x"}},
        {"class_name": kind, "config": {"name": "dense", **config}},
        {"class_name": "Dense", "config": {"name": "dense_1", "units": 1}},
    ]
    return {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}


def _hostile_configurations() -> dict[str, Any]:
    shell = f"__import__('os').system('touch {MARKER}')"
    function = {
        "class_name": "function",
        "module": "os",
        "config": "system",
        "registered_name": "system",
    }
    return {
        "lambda": configured("Lambda", function=shell),
        "lambda_code": configured("Lambda", function=["4wEAAAAAAAAA", None, None]),
        "savedmodel": configured("TFSMLayer", filepath=MARKER),
        "module_wrapper": configured("TorchModuleWrapper", module=shell),
        "vocabulary": configured("StringLookup", vocabulary=MARKER),
        "vocabulary_url": configured("TextVectorization", vocabulary="http://127.0.0.1:9/x"),
        "function": configured(units=8, activation=function),
        "function_of_tensorflow": configured("TFOpLambda", function="io.read_file"),
        "operation_by_name": configured("TFOpLambda", function="__import__"),
        "node": configured("TensorFlowOpLayer", node_def={"op": "ReadFile"}, constants={}),
        "another_class": configured("Popen", args=[shell]),
        "weights": configured("Embedding", input_dim=2, output_dim=2, weights=[MARKER]),
        "registered": configured("os>system"),
        "tower": {"class_name": "os.system", "config": shell},
        "nothing": None,
        "list": [1, 2],
    }


for _name, _config in _hostile_configurations().items():
    CASES[f"configuration_{_name}"] = lambda config=_config: attribute(  # type: ignore[misc]
        "/", "model_config", json.dumps(config)
    )
CONVERTS.add("configuration_nothing")  # weights alone, then


# Lies of the superblock, and damage


def patched(offset: int, raw: bytes) -> bytes:
    return BASE[:offset] + raw + BASE[offset + len(raw) :]


@case
def an_unknown_superblock() -> bytes:
    return patched(8, b"\x09")


@case
def sizes_of_offsets_that_nobody_has() -> bytes:
    return patched(13, b"\x03\x05")


@case
def a_base_far_away() -> bytes:
    return patched(24, struct.pack("<Q", 2**60))


@case
def a_root_far_away() -> bytes:
    return patched(64, struct.pack("<Q", 2**62))


@case
def a_root_in_the_superblock() -> bytes:
    return patched(64, struct.pack("<Q", 0))


@case
def cut_in_half() -> bytes:
    return BASE[: len(BASE) // 2]


@case
def only_a_signature() -> bytes:
    return BASE[:8]


# The optimizer


@converts
def a_counter_beyond_all() -> bytes:
    def run(file: Any) -> None:
        file["optimizer_weights/iteration:0"][()] = 2**62
        text = json.loads(file.attrs["training_config"])
        text["optimizer_config"] = {"class_name": "Nadam", "config": {"learning_rate": 0.1}}
        file.attrs["training_config"] = json.dumps(text)

    return edited(run)


@converts
def slots_of_other_shapes() -> bytes:
    def run(file: Any) -> None:
        path = "optimizer_weights/Adam/m/dense/kernel:0"
        del file[path]
        file.create_dataset(path, data=np.zeros((3, 3), "<f4"))

    return edited(run)


@case
def a_text_of_training() -> bytes:
    return attribute(
        "/", "training_config", '{"optimizer_config": {"class_name": "os>system", "config": {}}}'
    )


# `.keras`


CONFIG = {
    "module": "keras", "class_name": "Sequential", "registered_name": None,
    "config": {
        "name": "s",
        "layers": [
            {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
             "config": {"batch_shape": [None, 5], "name": "x", "dtype": "float32"}},
            {"module": "keras.layers", "class_name": "Dense", "registered_name": None,
             "config": {"name": "dense", "units": 8}},
        ],
    },
}  # fmt: skip
METADATA = {"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}


def weights(*shapes: tuple[int, ...], path: str = "layers/dense/vars") -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for index, shape in enumerate(shapes or ((5, 8), (8,))):
            file[f"{path}/{index}"] = np.zeros(shape, "<f4")
    return stream.getvalue()


def zipped(*more: tuple[str, bytes], config: Any = CONFIG, **given: Any) -> bytes:
    stream = io.BytesIO()
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    with zipfile.ZipFile(stream, "w", given.get("compression", zipfile.ZIP_STORED)) as file:
        file.writestr("metadata.json", json.dumps(given.get("metadata", METADATA)))
        file.writestr("config.json", text)
        if "weights" not in given or given["weights"] is not None:
            file.writestr("model.weights.h5", given.get("weights", weights()))
        for name, content in more:
            file.writestr(name, content)
    return stream.getvalue()


@case
def two_configurations() -> bytes:
    hostile = json.dumps(CONFIG).replace("Dense", "Lambda").encode()
    return zipped(("config.json", hostile))


@case
def two_weights() -> bytes:
    return zipped(("model.weights.h5", weights((5, 8))))


@case
def a_name_that_leads_out() -> bytes:
    return zipped((f"../../../..{MARKER}", b"x"))


@case
def a_whole_path() -> bytes:
    return zipped((MARKER, b"x"))


@case
def assets_that_lead_out() -> bytes:
    return zipped((f"assets/../../../..{MARKER}/vocabulary.txt", b"x"))


@case
def a_name_with_backslashes() -> bytes:
    return zipped(("assets\\..\\x", b"x"))


@case
def an_asset_of_a_layer_of_somebody() -> bytes:
    return zipped(("assets/layers/dense/code.py", b"import os"))


@case
def a_vocabulary_of_other_bytes() -> bytes:
    return zipped(("assets/layers/dense/vocabulary.txt", b"\xff\xfe\x00"))


@case
def no_weights() -> bytes:
    return zipped(weights=None)


@case
def weights_that_are_no_hdf5() -> bytes:
    return zipped(weights=b"\x80\x04\x95cposix\nsystem\n.")


@case
def weights_by_an_external_link() -> bytes:
    stream = io.BytesIO(weights())
    with h5py.File(stream, "r+") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = h5py.ExternalLink(MARKER, "/x")
    return zipped(weights=stream.getvalue())


@case
def weights_in_another_place() -> bytes:
    return zipped(weights=weights(path="layers/dense"))


@converts
def weights_of_another_layer() -> bytes:
    return zipped(weights=weights(path="layers/other/vars"))


@converts
def weights_above_the_model() -> bytes:
    return zipped(weights=weights(path="layers/../vars"))


@converts
def weights_of_another_shape() -> bytes:
    return zipped(weights=weights((5, 9), (9,)))


@converts
def weights_of_a_huge_layer() -> bytes:
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"][1]["config"]["units"] = 2**31 - 1
    return zipped(config=config)


@converts
def one_weight_more() -> bytes:
    return zipped(weights=weights((5, 8), (8,), (8,)))


@case
def a_bomb_of_a_configuration() -> bytes:
    text = b'{"class_name": "' + b"f" * (70 << 20) + b'"}'
    return zipped(config=text, compression=zipfile.ZIP_DEFLATED)


@case
def a_configuration_that_is_a_list() -> bytes:
    return zipped(config=[CONFIG])


@case
def a_layer_of_another_module() -> bytes:
    return zipped(config=json.loads(json.dumps(CONFIG).replace("keras.layers", "os")))


@case
def a_class_of_somebody() -> bytes:
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"][1] |= {"registered_name": "acme>Dense", "module": "os"}
    return zipped(config=config)


@case
def metadata_of_another_form() -> bytes:
    config = json.loads(json.dumps(CONFIG).replace('"units": 8', '"units": "8"'))
    return zipped(metadata=["3.15.1"], config=config)


@case
def a_local_header_of_another_name() -> bytes:
    data = zipped()
    return data.replace(b"config.json", b"konfig.json", 1)


@case
def an_encrypted_member() -> bytes:
    data = bytearray(zipped())
    for signature, field in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(signature) + field] |= 1
    return bytes(data)
