"""Modules with something about them: types, buffers, outputs, control flow, parametrizations."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.export import Dim
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize

from .torch_case import Case

ROWS = {0: Dim("rows", max=64)}
Pair = namedtuple("Pair", ["mean", "scale"])


def vectors(width: int = 4, dtype: Any = torch.float32) -> Any:
    return lambda n: torch.randn(n, width, dtype=dtype)


def mlp(width: int = 4) -> Any:
    return nn.Sequential(nn.Linear(width, 6), nn.ReLU(), nn.Linear(6, 2))


class ComplexNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4, dtype=torch.complex64))
        self.linear = nn.Linear(4, 2, dtype=torch.complex64)

    def forward(self, x: Any) -> Any:
        spectrum = torch.fft.fft(x) * torch.polar(x.abs(), x.real)
        return self.linear(spectrum @ self.weight.conj().T), torch.view_as_real(spectrum)


class Buffers(nn.Module):
    """Counts its calls, keeps means, and holds constants that are in no state dict."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(4, dtype=torch.float64))
        self.register_buffer("limit", torch.tensor([1, 2, 3, 4], dtype=torch.int16))
        self.register_buffer("scale", torch.full((4,), 0.5), persistent=False)

    def forward(self, x: Any) -> Any:
        if self.training:
            self.count += 1
            self.mean.mul_(0.9).add_(x.detach().mean(0).double(), alpha=0.1)
        return self.linear(x - self.mean.float()) * self.scale + self.count + self.limit


class Inputs(nn.Module):
    """Takes a list and a dict, positional and named, with a default."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(8)

    def forward(self, parts: Any, more: Any, *, scale: Any = None) -> Any:
        x = torch.cat([*parts, more["x"], more["y"]], 1)
        return self.net(x if scale is None else x * scale)


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, *, left: Any, right: Any) -> Any:
        return functional.cosine_similarity(self.left(left), self.right(right))


@dataclass
class Answer:
    logits: Any
    hidden: Any
    extra: Any = None


torch.export.register_dataclass(Answer, serialized_type_name="tests.Answer")


class Outputs(nn.Module):
    """Gives back what its `form` says."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.net = nn.Linear(4, 6)

    def forward(self, x: Any) -> Any:
        a, b = self.net(x).split([4, 2], dim=1)
        if self.form == "nested":
            return {"a": [a, (b, None)], "b": OrderedDict(x=a.sum(), y=3), "c": (True, 2.5, "name")}
        if self.form == "dataclass":
            return Answer(logits=a, hidden=b)
        if self.form == "named tuple":
            return Pair(a, functional.softplus(b))
        return [x, a, a]


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.yes, self.no = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        return torch.cond(
            x.sum() > 0, lambda x: self.yes(x).sin(), lambda x: self.no(x).cos(), (x,)
        )


class Loop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rate", torch.tensor(0.5))

    def forward(self, x: Any) -> Any:
        from torch._higher_order_ops.while_loop import while_loop

        def go_on(i: Any, x: Any) -> Any:
            return i < 4

        def body(i: Any, x: Any) -> Any:
            return i + 1, (x * self.rate).tanh() + 1

        return while_loop(go_on, body, (torch.zeros((), dtype=torch.int64), x))


class Mapped(nn.Module):
    """The same for each row, in the order of the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))

    def forward(self, x: Any) -> Any:
        from torch._higher_order_ops.map import map as over_rows

        return over_rows(lambda row, weight: (row @ weight).relu(), x, self.weight)


class Scanned(nn.Module):
    """What is carried from row to row, and what each row adds."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        from torch._higher_order_ops.scan import scan

        def step(state: Any, row: Any) -> Any:
            state = (state * 0.5 + row).tanh()
            return state, state.sin()

        return scan(step, torch.zeros(4), self.linear(x))


class Python(nn.Module):
    """Control flow that depends on data, in plain Python: no graph has it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        for _ in range(int(x.abs().sum()) % 3 + 1):
            x = self.linear(x)
        return x


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).transpose(-1, -2)


def parametrized() -> Any:
    module = nn.Linear(4, 4)
    parametrize.register_parametrization(module, "weight", Symmetric())
    return module


class Shared(nn.Module):
    """The same part under three names."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.again = self.first
        self.parts = nn.ModuleList([self.first, nn.Tanh(), self.first])

    def forward(self, x: Any) -> Any:
        x = self.again(self.first(x))
        for part in self.parts:
            x = part(x)
        return x


class Collections(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.ModuleDict({"one two": nn.Linear(4, 4), "π": nn.Linear(4, 4)})
        self.weights = nn.ParameterList([nn.Parameter(torch.randn(4)) for _ in range(2)])
        self.named = nn.ParameterDict(
            {"scale": nn.Parameter(torch.ones(())), "class": nn.Parameter(torch.ones(4))}
        )

    def forward(self, x: Any) -> Any:
        for part, weight in zip(self.table.values(), self.weights, strict=True):
            x = part(x) * weight
        return x * self.named["scale"] + self.named["class"]


class Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = mlp(), nn.Linear(2, 2)
        self.body.requires_grad_(False)

    def forward(self, x: Any) -> Any:
        return self.head(self.body(x))


class Extra(nn.Module):
    """Has state of its own that is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)
        self.notes = {"calls": 0, "words": ["a", "b"]}

    def get_extra_state(self) -> Any:
        return self.notes

    def set_extra_state(self, state: Any) -> None:
        self.notes = state

    def forward(self, x: Any) -> Any:
        return self.linear(x)


class GraphNet(nn.Module):
    """Messages along the edges of a graph."""

    def __init__(self) -> None:
        super().__init__()
        self.message, self.update = nn.Linear(8, 4), nn.GRUCell(4, 4)

    def forward(self, nodes: Any, edges: Any) -> Any:
        source, target = edges[0], edges[1]
        sent = functional.relu(self.message(torch.cat([nodes[source], nodes[target]], 1)))
        summed = torch.zeros_like(nodes).index_add(0, target, sent)
        degree = torch.zeros(nodes.shape[0]).scatter_add(0, target, torch.ones_like(target).float())
        return self.update(summed / degree.clamp(min=1)[:, None], nodes)


class Coupling(nn.Module):
    """A normalizing flow's step and its log-determinant."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 4))
        self.register_buffer("order", torch.tensor([2, 0, 3, 1]))

    def forward(self, x: Any) -> Any:
        a, b = x[:, :2], x[:, 2:]
        scale, shift = self.net(a).tensor_split(2, dim=1)
        y = torch.cat([a, b * scale.exp() + shift], 1)
        return y.index_select(1, self.order), scale.sum(1)


class Hyper(nn.Module):
    """One net makes the weights of another."""

    def __init__(self) -> None:
        super().__init__()
        self.make = nn.Linear(3, 20)
        self.code = nn.Parameter(torch.randn(3))

    def forward(self, x: Any) -> Any:
        weights = self.make(self.code)
        return torch.einsum("ni,io->no", x, weights[:16].reshape(4, 4)) + weights[16:]


class Solver(nn.Module):
    """Linear algebra, sorting, counting and a step of an ordinary differential equation."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.eye(4) + 0.1 * torch.randn(4, 4))

    def forward(self, x: Any) -> Any:
        field = torch.linalg.solve(self.matrix, x.T).T
        for _ in range(3):
            x = x + 0.1 * torch.tanh(field + x)
        values, order = x.sort(dim=-1, descending=True)
        return {
            "values": values.cumsum(-1).logsumexp(-1),
            "order": order,
            "top": torch.where(x > 0, x, -x).amax(1),
            "rank": torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0])),
            "norm": torch.linalg.vector_norm(x, dim=1),
        }


class Ragged(nn.Module):
    """Takes as many rows as are true: a size that depends on data."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Any, keep: Any) -> Any:
        return self.linear(x[keep]).sum(0)


class Autocast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp()

    def forward(self, x: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return self.net(x).float()


class Penalty(nn.Module):
    """A loss in a module, over targets that are given."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(4, 3)
        self.loss = nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 0.5]), label_smoothing=0.1)

    def forward(self, x: Any, target: Any) -> Any:
        out = self.net(x)
        return self.loss(out, target) + functional.kl_div(
            out.log_softmax(1), functional.one_hot(target, 3).float()
        )


def quantized() -> Any:
    model = mlp().eval()
    return torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, torch.qint8)


class QuantizedBuffers(nn.Module):
    """Weights that are kept as eight-bit numbers."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.randn(4, 4)
        self.register_buffer("weight", torch.quantize_per_tensor(weight, 0.05, 3, torch.quint8))
        channels = torch.quantize_per_channel(
            weight, torch.full((4,), 0.1), torch.zeros(4, dtype=torch.int64), 0, torch.qint8
        )
        self.register_buffer("channels", channels)
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return self.linear(x @ self.weight.dequantize() @ self.channels.dequantize())


class EightBit(nn.Module):
    """The same without quantized tensors: integers and scales."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randint(-128, 128, (4, 4), dtype=torch.int8))
        self.scale = nn.Parameter(torch.rand(4))

    def forward(self, x: Any) -> Any:
        return (x @ self.weight.to(x.dtype)) * self.scale


class SparseMask(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("links", (torch.rand(4, 4) > 0.5).float().to_sparse())
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return self.linear(torch.sparse.mm(self.links, x.T).T)


class Strings(nn.Module):
    """Options that are no tensors, fixed when the graph is made."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Any, kind: str = "relu", times: int = 1) -> Any:
        x = self.linear(x)
        return (functional.relu(x) if kind == "relu" else functional.tanh(x)) * times


def lazy() -> Any:
    module = nn.Sequential(nn.LazyLinear(5), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2))
    module(torch.randn(3, 4))
    return module


def half() -> Any:
    return nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 2)).to(torch.bfloat16)


CASES = {
    "mlp": Case(mlp, vectors(), (ROWS,)),
    "linear": Case(lambda: nn.Linear(4, 2), vectors(), (ROWS,)),
    "float64": Case(lambda: mlp().double(), vectors(dtype=torch.float64), (ROWS,)),
    "bfloat16": Case(half, vectors(dtype=torch.bfloat16), (ROWS,)),
    "complex": Case(ComplexNet, vectors(dtype=torch.complex64), (ROWS,)),
    "buffers": Case(Buffers, vectors(), (ROWS,)),
    "batch_norm": Case(
        lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.SELU()), vectors(), (ROWS,)
    ),
    "batch_norm_mean": Case(
        lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, momentum=None), nn.CELU()),
        vectors(), no_graph="running means whose weight is a number that is computed",
    ),
    "inputs": Case(
        Inputs,
        lambda n: (
            [torch.randn(n, 2), torch.randn(n, 2)], {"x": torch.randn(n, 3), "y": torch.randn(n, 1)}
        ),
        ([ROWS, ROWS], {"x": ROWS, "y": ROWS}),
    ),
    "named_inputs": Case(
        Named, lambda n: {"left": torch.randn(n, 4), "right": torch.randn(n, 4)},
        {"left": ROWS, "right": ROWS},
    ),
    "outputs_nested": Case(lambda: Outputs("nested"), vectors(), (ROWS,)),
    "outputs_dataclass": Case(lambda: Outputs("dataclass"), vectors(), (ROWS,)),
    "outputs_named_tuple": Case(lambda: Outputs("named tuple"), vectors(), (ROWS,)),
    "outputs_repeated": Case(lambda: Outputs("repeated"), vectors(), (ROWS,)),
    "cond": Case(Branches, vectors(), (ROWS,)),
    "while_loop": Case(Loop, vectors(), (ROWS,), trains=False),
    "map": Case(Mapped, vectors()),
    "scan_rows": Case(Scanned, vectors()),
    "python_flow": Case(Python, vectors(), no_graph="control flow that depends on data"),
    "weight_norm": Case(
        lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 3)), nn.ReLU()),
        vectors(), (ROWS,),
    ),
    "spectral_norm": Case(
        lambda: parametrizations.spectral_norm(nn.Linear(4, 4)), vectors(), (ROWS,)
    ),
    "orthogonal": Case(
        lambda: parametrizations.orthogonal(nn.Linear(4, 4), orthogonal_map="householder"),
        vectors(), (ROWS,),
    ),
    "parametrized": Case(parametrized, vectors(), (ROWS,)),
    "lazy": Case(lazy, vectors(), (ROWS,)),
    "shared": Case(Shared, vectors(), (ROWS,)),
    "collections": Case(Collections, vectors(), (ROWS,)),
    "frozen": Case(Frozen, vectors(), (ROWS,)),
    "extra_state": Case(Extra, vectors(), (ROWS,)),
    "bilinear": Case(
        lambda: nn.Bilinear(4, 3, 2), lambda n: (torch.randn(n, 4), torch.randn(n, 3)), (ROWS, ROWS)
    ),
    "graph_net": Case(
        GraphNet, lambda n: (torch.randn(n, 4), torch.tensor([[0, 1, 2, 2], [1, 2, 0, 1]])),
        (ROWS, {}),
    ),
    "coupling": Case(Coupling, vectors(), (ROWS,)),
    "hyper": Case(Hyper, vectors(), (ROWS,)),
    "solver": Case(Solver, vectors(), (ROWS,)),
    "ragged": Case(
        Ragged, lambda n: (torch.randn(n, 4), torch.arange(n) % 2 == 0), (ROWS, ROWS)
    ),
    "autocast": Case(Autocast, vectors(), (ROWS,)),
    "penalty": Case(Penalty, lambda n: (torch.randn(n, 4), torch.arange(n) % 3), (ROWS, ROWS)),
    "quantized": Case(quantized, vectors(), trains=False, no_graph="packed weights"),
    "quantized_buffers": Case(
        QuantizedBuffers, vectors(), no_graph="quantized tensors"
    ),
    "eight_bit": Case(EightBit, vectors(), (ROWS,)),
    "sparse_mask": Case(SparseMask, vectors(), no_graph="an operator of sparse tensors"),
    "strings": Case(Strings, lambda n: (torch.randn(n, 4), "tanh", 2), (ROWS, None, None)),
}  # fmt: skip
