"""PyTorch and Keras: tensors, modules, optimizers, checkpoints, and whole objects."""

from __future__ import annotations

import importlib
import inspect
import io
from collections import OrderedDict
from typing import Any

import numpy as np


def saved(thing: Any, protocols: tuple[int, ...] = (0, 1, 3, 4, 5)) -> dict[str, Any]:
    """The files of torch.save, new and legacy."""
    import torch

    files = {}
    for way, zipped in (("torch", True), ("torch-legacy", False)):
        buffer = io.BytesIO()
        torch.save(thing, buffer, _use_new_zipfile_serialization=zipped)
        files[way] = buffer.getvalue()
    for protocol in protocols:
        buffer = io.BytesIO()
        torch.save(thing, buffer, pickle_protocol=protocol)
        files[f"torch-protocol{protocol}"] = buffer.getvalue()
    return {"__files__": files}


def tensors() -> Any:
    import torch

    names = [n for n in dir(torch) if isinstance(getattr(torch, n), torch.dtype)]
    for name in names:
        dtype = getattr(torch, name)
        if name == str(dtype).removeprefix("torch."):
            yield f"dtype {name}", dtype
            yield f"tensor {name}", lambda dtype=dtype: torch.empty((2, 3), dtype=dtype)
            yield (
                f"parameter {name}",
                lambda d=dtype: torch.nn.Parameter(torch.zeros(2, dtype=d), False),
            )
    eye = torch.eye(3)
    yield "parameter", torch.nn.Parameter(eye)
    yield "buffer", lambda: torch.nn.Buffer(eye)
    yield "attributes", lambda: _with_attribute(torch.nn.Parameter(eye))
    yield "tensor attributes", lambda: _with_attribute(eye.clone())
    yield "views", [eye[1:], eye.t(), eye[::2]]
    yield "gradient", lambda: torch.ones(2, requires_grad=True)
    yield "conjugate", lambda: torch.ones(2, dtype=torch.complex64).conj()
    yield "negative", lambda: torch.ones(2, dtype=torch.complex64).conj().imag
    for layout in ("sparse_coo", "sparse_csr", "sparse_csc"):
        yield layout, lambda v=layout: eye.to_sparse(layout=getattr(torch, v))
    for layout in ("sparse_bsr", "sparse_bsc"):
        yield (
            layout,
            lambda v=layout: torch.eye(4).to_sparse(layout=getattr(torch, v), blocksize=(2, 2)),
        )
    yield "quantized", lambda: torch.quantize_per_tensor(eye, 0.1, 0, torch.qint8)
    yield (
        "quantized channel",
        lambda: torch.quantize_per_channel(
            eye,
            torch.ones(3, dtype=torch.float64),
            torch.zeros(3, dtype=torch.int64),
            0,
            torch.quint8,
        ),
    )
    yield (
        "quantized parameter",
        lambda: torch.nn.Parameter(
            torch.quantize_per_tensor(eye, 0.1, 0, torch.qint8), requires_grad=False
        ),
    )
    yield "meta", lambda: torch.empty(3, device="meta")
    yield "nested", lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    yield (
        "jagged",
        lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
    )
    yield "mkldnn", lambda: eye.to_mkldnn()
    yield "size", [torch.Size([1, 2]), torch.device("cpu"), torch.device("cuda", 0)]
    for name in (
        "strided",
        "per_tensor_affine",
        "sparse_coo",
        "qint8",
    ):
        yield f"enum {name}", getattr(torch, name)
    yield "finfo", lambda: torch.finfo(torch.float32)
    yield "generator", lambda: torch.Generator().manual_seed(1)
    yield "rng", lambda: {"rng": torch.get_rng_state(), "python": __import__("random").getstate()}
    yield "storages", lambda: [torch.FloatStorage(3), torch.UntypedStorage(3)]
    yield "typed storage", lambda: eye.storage()
    yield "numpy", {"array": np.eye(2), "scalar": np.float64(1), "dtype": np.dtype("f4")}
    yield "masked", lambda: torch.masked.masked_tensor(eye, eye > 0)
    yield "functions", [torch.relu, torch.sigmoid, torch.tanh, torch.nn.functional.relu, torch.add]
    yield (
        "more functions",
        [torch.nn.functional.gelu, torch.nn.functional.softmax, torch.nn.init.ones_],
    )
    yield "types", [torch.Tensor, torch.nn.Linear, torch.float32, torch.nn.Parameter]
    yield "uninitialised", lambda: torch.nn.parameter.UninitializedParameter()
    yield "named tensor", lambda: torch.ones(2, names=["x"])
    yield "return type", lambda: torch.max(eye, 0)


def _with_attribute(tensor: Any) -> Any:
    tensor.note = "x"
    return tensor


def modules() -> Any:
    """Every class of torch.nn that a guess at its arguments makes."""
    import torch
    from torch import nn

    quantized = [getattr(torch.ao.nn, n, None) for n in ("quantized", "qat", "intrinsic")]
    seen = set()
    for package in (nn, nn.utils.parametrizations, *filter(None, quantized)):
        for name in sorted(dir(package)):
            cls = getattr(package, name)
            if inspect.isclass(cls) and issubclass(cls, nn.Module) and cls not in seen:
                seen.add(cls)
                yield f"{package.__name__}.{name}", lambda cls=cls: _module(cls)
    linear = nn.Linear(3, 2)
    yield "sequential", lambda: nn.Sequential(OrderedDict(a=nn.Linear(3, 2), b=nn.ReLU()))
    yield "lists", lambda: [nn.ModuleList([linear]), nn.ModuleDict({"a": linear})]
    yield "parameter lists", lambda: nn.ParameterList([nn.Parameter(torch.ones(2))])
    yield "parameter dict", lambda: nn.ParameterDict({"a": nn.Parameter(torch.ones(2))})
    yield "weight norm", lambda: nn.utils.weight_norm(nn.Linear(3, 2))
    yield "spectral norm", lambda: nn.utils.spectral_norm(nn.Linear(3, 2))
    yield (
        "parametrized weight norm",
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)).state_dict(),
    )
    yield (
        "pruned",
        lambda: importlib.import_module("torch.nn.utils.prune").l1_unstructured(
            nn.Linear(3, 2), "weight", 1
        ),
    )
    yield "hooked", lambda: _hooked(nn.Linear(3, 2))
    yield "shared", lambda: nn.Sequential(linear, linear)
    yield "lazy", lambda: [nn.LazyLinear(2), nn.LazyConv2d(2, 3)]
    yield "half", lambda: nn.Linear(3, 2).half()
    yield "frozen", lambda: nn.Linear(3, 2).requires_grad_(False).eval()
    yield (
        "torch.ao.dynamic",
        lambda: torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 2)), {nn.Linear}),
    )
    yield "torch.ao.static", _static
    yield "data parallel", lambda: nn.DataParallel(nn.Linear(3, 2))
    yield "averaged", lambda: torch.optim.swa_utils.AveragedModel(nn.Linear(3, 2))
    yield "traced fx", lambda: torch.fx.symbolic_trace(nn.Sequential(nn.Linear(3, 2), nn.ReLU()))
    yield "distributions", lambda: [torch.distributions.Normal(0.0, 1.0)]
    yield "exported", lambda: {"__files__": {"torch-pt2": _exported()}}
    yield "scripted", lambda: {"__files__": {"torchscript": _scripted(True)}}
    yield "jit traced", lambda: {"__files__": {"torchscript": _scripted(False)}}


def _hooked(module: Any) -> Any:
    module.register_forward_hook(print)
    return module


def _static() -> Any:
    import torch
    from torch.ao import quantization as q

    model = torch.nn.Sequential(
        q.QuantStub(), torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), q.DeQuantStub()
    )
    model.eval().qconfig = q.get_default_qconfig("fbgemm")
    prepared = q.prepare(model)
    prepared(torch.ones(1, 1, 5, 5))
    return q.convert(prepared)


def _exported() -> bytes:
    import torch

    buffer = io.BytesIO()
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    torch.export.save(torch.export.export(model, (torch.ones(4, 3),)), buffer)
    return buffer.getvalue()


def _scripted(script: bool) -> bytes:
    import torch

    buffer = io.BytesIO()
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    made = torch.jit.script(model) if script else torch.jit.trace(model, torch.ones(1, 3))
    torch.jit.save(made, buffer)
    return buffer.getvalue()


GUESSES: dict[str, Any] = {
    "in_features": 4, "out_features": 2, "in1_features": 4, "in2_features": 4, "in_channels": 4,
    "out_channels": 4, "kernel_size": 2, "num_features": 4, "num_channels": 4, "num_groups": 2,
    "normalized_shape": 4, "input_size": 4, "hidden_size": 3, "d_model": 4, "nhead": 2,
    "embed_dim": 4, "num_heads": 2, "num_embeddings": 5, "embedding_dim": 3, "output_size": 2,
    "padding": 1, "lower": 0.1, "upper": 0.3, "upscale_factor": 2, "downscale_factor": 2,
    "n_classes": 20, "cutoffs": [5, 10], "num_layers": 1, "min_val": 0, "max_val": 1, "groups": 2,
    "threshold": 0.1, "value": 0.2, "output_ratio": 0.5, "dim": 1, "unflattened_size": (2, 2),
    "in_num": 2, "factor": 1.0, "bias": True, "scale": 1.0, "zero_point": 0, "dtype": None,
    "mode": "RNN_TANH",
}  # fmt: skip


def _fused(cls: type) -> Any:
    """The module that fuses those whose names are in its own."""
    from torch import nn

    dimension = next((n for n in "123" if cls.__name__.endswith(f"{n}d")), "1")
    parts = {
        "Linear": nn.Linear(2, 2),
        "Conv": getattr(nn, f"Conv{dimension}d")(2, 2, 2),
        "Bn": getattr(nn, f"BatchNorm{dimension}d")(2),
        "BN": getattr(nn, f"BatchNorm{dimension}d")(2),
        "Add": torch_add,
        "LeakyReLU": nn.LeakyReLU(),
        "ReLU": nn.ReLU(),
        "Tanh": nn.Tanh(),
    }
    name, arguments = cls.__name__, []
    while name:
        key = next((k for k in parts if name.startswith(k)), None)
        if key is None:
            break
        arguments.append(parts[key])
        name = name[len(key) :]
    return cls(*arguments)


def torch_add(one: Any, other: Any) -> Any:
    return one + other


def _module(cls: type) -> Any:
    import torch
    from torch import nn

    if cls is nn.TransformerEncoder:
        return cls(nn.TransformerEncoderLayer(4, 2, 8), 1)
    if cls is nn.TransformerDecoder:
        return cls(nn.TransformerDecoderLayer(4, 2, 8), 1)
    if cls in (nn.RNN, nn.LSTM, nn.GRU):
        return cls(3, 2, num_layers=2, bidirectional=True)
    if cls is nn.Transformer:
        return cls(4, 2, 1, 1, 8)
    if cls.__name__ == "FractionalMaxPool2d" or cls.__name__ == "FractionalMaxPool3d":
        return cls(2, output_ratio=0.5)
    if cls.__name__ == "Unflatten":
        return cls(1, (2, 2))
    if cls.__name__ == "DataParallel":
        return cls(nn.Linear(2, 2))
    if cls.__module__.startswith("torch.ao.nn.intrinsic"):
        return _fused(cls)
    if cls.__module__.startswith("torch.ao.nn.qat"):
        qconfig = torch.ao.quantization.get_default_qat_qconfig("fbgemm")
        return cls(*[4, 2, 2][: 2 if "Conv" not in cls.__name__ else 3], qconfig=qconfig)
    parameters = inspect.signature(cls.__init__).parameters.values()
    needed = [p for p in list(parameters)[1:] if p.default is p.empty and p.kind < 2]
    arguments = [GUESSES.get(p.name, 2) for p in needed]
    return cls(*arguments)


def training() -> Any:
    import torch
    from torch import nn, optim

    def model() -> Any:
        return nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))

    for name in sorted(dir(optim)):
        cls = getattr(optim, name)
        if inspect.isclass(cls) and issubclass(cls, optim.Optimizer) and cls is not optim.Optimizer:
            yield f"optimizer {name}", lambda cls=cls: _stepped(cls, model())
            yield f"optimizer state {name}", lambda cls=cls: _stepped(cls, model()).state_dict()
    schedules = optim.lr_scheduler
    arguments = {
        "LambdaLR": (_half,), "MultiplicativeLR": (_half,), "StepLR": (2,),
        "MultiStepLR": ([2, 3],), "ExponentialLR": (0.9,), "CosineAnnealingLR": (5,),
        "CosineAnnealingWarmRestarts": (3,), "OneCycleLR": (0.1, 10), "CyclicLR": (0.1, 0.2),
    }  # fmt: skip
    for name in sorted(dir(schedules)):
        cls = getattr(schedules, name)
        if (
            inspect.isclass(cls)
            and issubclass(cls, schedules.LRScheduler)
            and name != "LRScheduler"
        ):
            for what in ("object", "state"):
                yield (
                    f"scheduler {name} {what}",
                    lambda cls=cls, n=name, w=what: _schedule(
                        cls, arguments.get(n, ()), model(), w
                    ),
                )
    yield "sequential schedule", lambda: _chained(model())
    yield "state dict", lambda: model().state_dict()
    yield "ordered state", lambda: OrderedDict((k, v) for k, v in model().state_dict().items())
    yield "compiled prefix", lambda: {f"_orig_mod.{k}": v for k, v in model().state_dict().items()}
    yield "scaler", lambda: torch.amp.GradScaler("cpu").state_dict()
    yield "loader", lambda: torch.utils.data.DataLoader([1, 2, 3])
    yield "datasets", lambda: torch.utils.data.TensorDataset(torch.ones(3))
    yield "checkpoint", lambda: _checkpoint(model())
    yield "lightning", lambda: _lightning(model())
    yield "arguments", lambda: {"args": __import__("argparse").Namespace(lr=0.1, layers=[1, 2])}
    yield (
        "metrics",
        lambda: {"loss": torch.tensor(1.0).item(), "best": float("inf"), "np": np.float32(1)},
    )


def _half(epoch: int) -> float:
    return 0.5**epoch


def _stepped(cls: Any, model: Any) -> Any:
    import torch

    if cls.__name__ == "SparseAdam":
        made = cls([torch.nn.Parameter(torch.ones(3))])
        return made
    if cls.__name__ == "Muon":
        made = cls([p for p in model.parameters() if p.ndim == 2])
    else:
        made = cls(model.parameters(), lr=0.1)

    def closure() -> Any:
        made.zero_grad()
        loss = model(torch.ones(4, 3)).sum()
        loss.backward()
        return loss

    made.step(closure)
    return made


def _schedule(cls: Any, arguments: tuple[Any, ...], model: Any, what: str) -> Any:
    import torch

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedules = torch.optim.lr_scheduler
    if cls.__name__ == "SequentialLR":
        parts = [schedules.ConstantLR(optimizer), schedules.StepLR(optimizer, 2)]
        made = cls(optimizer, parts, [2])
    elif cls.__name__ == "ChainedScheduler":
        made = cls([schedules.ConstantLR(optimizer)], optimizer)
    elif cls.__name__ in ("CyclicLR", "OneCycleLR"):
        made = cls(optimizer, *arguments)
    else:
        made = cls(optimizer, *arguments)
    return made if what == "object" else made.state_dict()


def _chained(model: Any) -> Any:
    import torch

    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
    return {"model": model, "optimizer": optimizer, "schedule": schedule}


def _checkpoint(model: Any) -> Any:
    import torch

    optimizer = _stepped(torch.optim.AdamW, model)
    return {
        "epoch": 3,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "loss": torch.tensor(0.5),
        "rng": torch.get_rng_state(),
        "numpy_rng": np.random.get_state(),
        "config": {"lr": 1e-3, "betas": (0.9, 0.999), "name": "x", "flags": {True, None}},
    }


def _lightning(model: Any) -> Any:
    import torch

    optimizer = _stepped(torch.optim.Adam, model)
    return {
        "epoch": 1,
        "global_step": 10,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": model.state_dict(),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.1)}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.1, "layers": [1, 2], "path": __import__("pathlib").Path("x")},
    }


def keras_objects() -> Any:
    import keras
    from keras import layers

    def model() -> Any:
        made = keras.Sequential([layers.Input((4,)), layers.Dense(3, "relu"), layers.Dense(1)])
        made.compile("adam", "mse")
        return made

    yield "sequential", model
    yield "functional", lambda: _functional(keras)
    yield "history", lambda: model().fit(np.ones((4, 4)), np.ones(4), verbose=0).history
    yield "history object", lambda: model().fit(np.ones((4, 4)), np.ones(4), verbose=0)
    yield "weights", lambda: model().get_weights()
    yield "config", lambda: model().get_config()
    yield "optimizers", lambda: [keras.optimizers.Adam(), keras.optimizers.SGD(0.1)]
    yield "layer", lambda: layers.Dense(3)
    yield "loss", lambda: keras.losses.MeanSquaredError()
    yield "metric", lambda: keras.metrics.Accuracy()
    yield "initializer", lambda: keras.initializers.GlorotUniform(1)
    yield "regularizer", lambda: keras.regularizers.L2(0.1)
    yield "activation", lambda: [keras.activations.relu, keras.activations.softmax]
    yield "schedule", lambda: keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    yield (
        "callbacks",
        lambda: [keras.callbacks.EarlyStopping(), keras.callbacks.ModelCheckpoint("x.keras")],
    )
    yield "tokenizer", lambda: layers.TextVectorization(vocabulary=["a", "b"])
    yield "tensor", lambda: keras.ops.ones((2, 2))
    yield "policy", lambda: keras.mixed_precision.DTypePolicy("float32")
    tf = __import__("tensorflow")
    yield "tf tensor", lambda: tf.constant([1.0, 2.0])
    yield "tf variable", lambda: tf.Variable([1.0])
    yield (
        "tf dtype",
        lambda: [tf.float32, tf.TensorShape([1, None]), tf.TensorSpec([1], tf.float32)],
    )


def _functional(keras: Any) -> Any:
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(2)(inputs)
    return keras.Model(inputs, outputs)


def cases() -> Any:
    for group in (tensors, modules, training):
        try:
            for name, thing in group():
                made = thing if callable(thing) and inspect.isfunction(thing) else None
                if "torch.ao." in name:  # torch aborts the process at protocols 0 and 1
                    yield name, lambda made=made: saved(made(), (3, 4, 5))
                elif made is not None:
                    yield name, lambda made=made: _written(made())
                    yield f"{name} pickled", made
                else:
                    yield name, lambda thing=thing: saved(thing)
                    yield f"{name} pickled", lambda thing=thing: thing
        except ImportError as error:
            yield group.__name__, lambda error=error: _again(error)
    try:
        for name, made in keras_objects():
            yield name, made
    except ImportError as error:
        yield "keras", lambda error=error: _again(error)


def _written(made: Any) -> Any:
    return made if isinstance(made, dict) and "__files__" in made else saved(made)


def _again(error: BaseException) -> None:
    raise error
