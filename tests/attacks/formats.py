"""Hostile files of formats that are no pickles, or not only.

A maker gets the path of the marker and a folder, writes the file (or folder) and returns its path.
It runs in a process of its own: TensorFlow and Keras do not like to be imported next to others.
"""

from __future__ import annotations

import base64
import json
import marshal
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.attacks.assemble import Name, assemble
from tests.attacks.containers import zipped


@dataclass(frozen=True)
class Format:
    """How to make it, and who opens it; `needs` is imported by the maker."""

    make: Callable[[str, Path], Path]
    loader: str
    needs: str = ""


# Keras


def _lambda_code(m: str) -> str:
    source = f"f = lambda x: (open({m!r}, 'w').close(), x)[1]"
    code = compile(source, "model", "exec").co_consts[0]
    return base64.b64encode(marshal.dumps(code)).decode()


def _layer(name: str, config: dict[str, Any], module: str = "keras.layers") -> dict[str, Any]:
    return {
        "module": module,
        "class_name": name,
        "config": {"name": name.lower(), "trainable": True, "dtype": "float32", **config},
        "registered_name": None,
    }


def _sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    first = _layer("InputLayer", {"batch_shape": [None, 2], "sparse": False})
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {
            "name": "model",
            "trainable": True,
            "dtype": "float32",
            "layers": [first, *layers],
        },
        "registered_name": None,
        "build_config": {"input_shape": [None, 2]},
    }


def _lambda_layer(m: str) -> dict[str, Any]:
    function = {
        "class_name": "__lambda__",
        "config": {"code": _lambda_code(m), "defaults": None, "closure": None},
    }
    return _layer("Lambda", {"function": function, "arguments": {}})


def _weights(path: Path) -> bytes:
    import h5py

    file = path / "empty.h5"
    with h5py.File(file, "w") as weights:
        weights.create_group("layers")
        weights.create_group("vars")
    data = file.read_bytes()
    file.unlink()
    return data


def keras_file(config: dict[str, Any], folder: Path, more: dict[str, bytes] | None = None) -> Path:
    """A `.keras` file around a config."""
    members = {
        "metadata.json": b'{"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}',
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": _weights(folder),
        **(more or {}),
    }
    path = folder / "model.keras"
    path.write_bytes(zipped(members))
    return path


def _keras_lambda(m: str, folder: Path) -> Path:
    return keras_file(_sequential(_lambda_layer(m)), folder)


def _keras_deflated(m: str, folder: Path) -> Path:
    path = _keras_lambda(m, folder)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    path.write_bytes(zipped(members, zipfile.ZIP_DEFLATED))
    return path


def _keras_in(
    around: Callable[[dict[str, Any]], Any], encoding: str = "utf-8"
) -> Callable[[str, Path], Path]:
    """No model, and no weights: Keras makes what is in it before it finds out."""

    def make(m: str, folder: Path) -> Path:
        text = json.dumps(around(_sequential(_lambda_layer(m)))).encode(encoding)
        path = folder / "model.keras"
        metadata = b'{"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}'
        path.write_bytes(zipped({"metadata.json": metadata, "config.json": text}))
        return path

    return make


def _keras_wrapped(wrapper: str) -> Callable[[str, Path], Path]:
    """A Lambda inside of a layer that holds another."""

    def make(m: str, folder: Path) -> Path:
        inner = _lambda_layer(m)
        if wrapper == "Sequential":
            inner["config"]["name"] = "inner"
            nested = _sequential(inner)
            nested["config"]["name"] = "nested"
            return keras_file(_sequential(nested), folder)
        repeat = _layer("RepeatVector", {"n": 2})
        layer = _layer(wrapper, {"layer": inner})
        return keras_file(_sequential(repeat, layer), folder)

    return make


def _keras_h5(m: str, folder: Path) -> Path:
    import h5py

    config = _sequential(_lambda_layer(m))
    path = folder / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "3.15.1"
        file.attrs["backend"] = "tensorflow"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = []
    return path


# TensorFlow


def _saved_model(operation: Callable[[Any, str], Any]) -> Callable[[str, Path], Path]:
    def make(m: str, folder: Path) -> Path:
        import tensorflow

        class Model(tensorflow.Module):
            @tensorflow.function(input_signature=[tensorflow.TensorSpec([], tensorflow.float32)])
            def __call__(self, x: Any) -> Any:
                operation(tensorflow, m)
                return x * 2.0

        model = Model()
        path = folder / "saved"
        tensorflow.saved_model.save(
            model, str(path), signatures={"serving_default": model.__call__.get_concrete_function()}
        )
        return path

    return make


def _graph_def(operation: Callable[[Any, str], Any]) -> Callable[[str, Path], Path]:
    def make(m: str, folder: Path) -> Path:
        import tensorflow

        with tensorflow.Graph().as_default() as graph:
            operation(tensorflow, m)
            data = graph.as_graph_def().SerializeToString()
        path = folder / "frozen.pb"
        path.write_bytes(data)
        return path

    return make


def _write_file(tensorflow: Any, m: str) -> Any:
    return tensorflow.raw_ops.WriteFile(filename=m, contents="x")


def _save_v2(tensorflow: Any, m: str) -> Any:
    return tensorflow.raw_ops.SaveV2(
        prefix=m, tensor_names=["a"], shape_and_slices=[""], tensors=[tensorflow.constant(1.0)]
    )


def _save(tensorflow: Any, m: str) -> Any:
    return tensorflow.raw_ops.Save(filename=m, tensor_names=["a"], data=[tensorflow.constant(1.0)])


def _print_to_file(tensorflow: Any, m: str) -> Any:
    return tensorflow.raw_ops.PrintV2(input="x", output_stream=f"file://{m}")


def _debug_identity(tensorflow: Any, m: str) -> Any:
    return tensorflow.raw_ops.DebugIdentity(
        input=tensorflow.constant(1.0),
        device_name="",
        tensor_name="a:0",
        debug_urls=[f"file://{m}"],
        gated_grpc=False,
    )


def _summary(tensorflow: Any, m: str) -> Any:
    writer = tensorflow.raw_ops.SummaryWriter(shared_name="w", container="")
    made = tensorflow.raw_ops.CreateSummaryFileWriter(
        writer=writer, logdir=m, max_queue=1, flush_millis=1, filename_suffix="x"
    )
    return made


def _deeper(tensorflow: Any, m: str) -> Any:
    """In a branch of a function that another function calls."""

    @tensorflow.function
    def inner(x: Any) -> Any:
        if x > 0:
            tensorflow.raw_ops.WriteFile(filename=m, contents="x")
        return x

    return inner(tensorflow.constant(1.0))


# PyTorch


def _torchscript(operation: str) -> Callable[[str, Path], Path]:
    """TorchScript runs `__setstate__` when it is loaded."""

    def make(m: str, folder: Path) -> Path:
        import importlib.util

        import torch

        source = folder / "hostile_model.py"
        source.write_text(
            "import torch\n"
            "class Model(torch.nn.Module):\n"
            "    def forward(self, x: torch.Tensor) -> torch.Tensor:\n        return x\n"
            "    @torch.jit.export\n    def __getstate__(self) -> int:\n        return 1\n"
            "    @torch.jit.export\n    def __setstate__(self, state: int) -> None:\n"
            f"        self.training = False\n        {operation.format(m=m)}\n"
        )
        spec = importlib.util.spec_from_file_location("hostile_model", source)
        if spec is None or spec.loader is None:
            raise RuntimeError("can't import the model")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        path = folder / "model.pt"
        torch.jit.script(module.Model()).save(str(path))
        source.unlink()
        return path

    return make


def _torch_package(m: str, folder: Path) -> Path:
    from torch.package import PackageExporter

    path = folder / "model.pt"
    with PackageExporter(str(path)) as exporter:
        exporter.save_source_string("hostile", f"open({m!r}, 'w').close()\nclass Model: pass\n")
        exporter.intern("hostile")
        exporter.save_binary(
            "model", "model.pkl", assemble(Name("hostile", "Model")(), "protocol2")
        )
    return path


def _torch_package_pickle(m: str, folder: Path) -> Path:
    from torch.package import PackageExporter

    path = folder / "model.pt"
    with PackageExporter(str(path)) as exporter:
        exporter.extern("os")
        exporter.save_source_string("unused", "import os\n")
        exporter.save_binary("model", "model.pkl", assemble(Name("os", "mkdir")(m), "protocol2"))
    return path


# Templates

_TEMPLATES = {
    "globals of a method": "{{{{ cycler.__init__.__globals__.os.mkdir({m!r}) }}}}",
    "lipsum": "{{{{ lipsum.__globals__['os'].mkdir({m!r}) }}}}",
    "joiner": "{{{{ joiner.__init__.__globals__['os']['mkdir']({m!r}) }}}}",
    "namespace": "{{% set n = namespace.__init__.__globals__ %}}{{{{ n.os.mkdir({m!r}) }}}}",
    "attr filter": ("{{{{ ((cycler|attr('__init__')|attr('__globals__'))['os']).mkdir({m!r}) }}}}"),
    "joined names": (
        "{{% set a = '__ini' ~ 't__' %}}{{% set b = ['__glo', 'bals__']|join %}}"
        "{{{{ (cycler[a][b]['o' + 's']).mkdir({m!r}) }}}}"
    ),
    "formatted names": (
        "{{{{ cycler['%s%s' % ('__in', 'it__')]['{{0}}{{1}}'.format('__glob', 'als__')]"
        "['os'].mkdir({m!r}) }}}}"
    ),
    "reversed names": (
        "{{{{ cycler['__tini__'[::-1]]['__slabolg__'|reverse]['os'].mkdir({m!r}) }}}}"
    ),
    "subclasses": (
        "{{% for c in ().__class__.__base__.__subclasses__() %}}"
        "{{% if c.__name__ == '_wrap_close' %}}"
        "{{{{ c.__init__.__globals__['mkdir']({m!r}) }}}}{{% endif %}}{{% endfor %}}"
    ),
    "undefined": "{{{{ nothing.__init__.__globals__['sys'].modules['os'].mkdir({m!r}) }}}}",
    "self": "{{{{ self.__init__.__globals__.__builtins__['open']({m!r}, 'w').close() }}}}",
    "macro": (
        "{{% macro f() %}}{{% endmacro %}}"
        "{{{{ f.__init__.__globals__.__builtins__.open({m!r}, 'w').close() }}}}"
    ),
    "escaped": "{{{{ cycler['\\x5f\\x5finit\\x5f\\x5f']['\\x5f_globals__'].os.mkdir({m!r}) }}}}",
    "map with attribute": (
        "{{{{ ([cycler]|map(attribute='__init__.__globals__')|first).os.mkdir({m!r}) }}}}"
    ),
    "in a condition": (
        "{{% for message in messages %}}{{{{ message.content }}}}{{% endfor %}}"
        "{{% if cycler.__init__.__globals__.os.mkdir({m!r}) %}}x{{% endif %}}"
    ),
}


def _jinja(template: str) -> Callable[[str, Path], Path]:
    def make(m: str, folder: Path) -> Path:
        path = folder / "chat_template.jinja"
        path.write_text(template.format(m=m))
        return path

    return make


def _tokenizer(template: str) -> Callable[[str, Path], Path]:
    def make(m: str, folder: Path) -> Path:
        path = folder / "tokenizer_config.json"
        text = template.format(m=m)
        path.write_text(json.dumps({"chat_template": text, "model_max_length": 4096}))
        return path

    return make


def _gguf(template: str) -> Callable[[str, Path], Path]:
    def make(m: str, folder: Path) -> Path:
        import gguf
        import numpy

        path = folder / "model.gguf"
        writer = gguf.GGUFWriter(str(path), "llama")
        writer.add_chat_template(template.format(m=m))
        writer.add_tensor("token_embd.weight", numpy.zeros((4, 4), "float32"))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return make


FORMATS: dict[str, Format] = {
    "keras Lambda": Format(_keras_lambda, "keras-unsafe", "keras"),
    "keras Lambda, deflated": Format(_keras_deflated, "keras-unsafe", "keras"),
    "keras Lambda in a model": Format(_keras_wrapped("Sequential"), "keras-unsafe", "keras"),
    "keras Lambda in TimeDistributed": Format(
        _keras_wrapped("TimeDistributed"), "keras-unsafe", "keras"
    ),
    "keras Lambda in a list": Format(_keras_in(lambda c: [[c]]), "keras-unsafe", "keras"),
    "keras Lambda in a dictionary": Format(
        _keras_in(lambda c: {"class_name": "x", "y": c}, "utf-16"), "keras-unsafe", "keras"
    ),
    "keras h5 Lambda": Format(_keras_h5, "keras-unsafe", "keras"),
    **{
        f"SavedModel {name}": Format(_saved_model(operation), "saved-model", "tensorflow")
        for name, operation in (
            ("WriteFile", _write_file),
            ("Save", _save),
            ("PrintV2", _print_to_file),
            ("CreateSummaryFileWriter", _summary),
            ("in a branch", _deeper),
        )
    },
    **{
        f"GraphDef {name}": Format(_graph_def(operation), "graph-def", "tensorflow")
        for name, operation in (
            ("WriteFile", _write_file),
            ("SaveV2", _save_v2),
            ("PrintV2", _print_to_file),
            ("DebugIdentity", _debug_identity),
        )
    },
    "TorchScript from_file": Format(
        _torchscript("self.training = torch.from_file({m!r}, True, 1).numel() > 5"),
        "torch-jit",
        "torch",
    ),
    "TorchScript save": Format(
        _torchscript("torch.save(torch.zeros(1), {m!r})"), "torch-jit", "torch"
    ),
    "torch.package code": Format(_torch_package, "torch-package", "torch"),
    "torch.package pickle": Format(_torch_package_pickle, "torch-package", "torch"),
    **{f"jinja {name}": Format(_jinja(text), "jinja") for name, text in _TEMPLATES.items()},
    **{
        f"tokenizer_config {name}": Format(_tokenizer(_TEMPLATES[name]), "jinja")
        for name in ("lipsum", "joined names", "map with attribute")
    },
    **{
        f"GGUF {name}": Format(_gguf(_TEMPLATES[name]), "gguf", "gguf")
        for name in ("globals of a method", "attr filter", "formatted names")
    },
}
