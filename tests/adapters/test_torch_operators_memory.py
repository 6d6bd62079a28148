"""Operators whose kernels trust sizes, layouts and indices with memory: they get none to trust."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from safemodel.adapters.torch.operators import NODE, OPERATORS, resolve  # noqa: E402
from safemodel.adapters.torch.operators.layouts import LAYOUTS  # noqa: E402
from safemodel.adapters.torch.operators.private import PRIVATE  # noqa: E402
from safemodel.errors import ArchitectureError  # noqa: E402

OBSERVE = "aten::fused_moving_avg_obs_fake_quant"
ATTENTION = "aten::scaled_dot_product_attention"


def run(name: str, *args: Any, **kwargs: Any) -> Any:
    return resolve(name).call(*args, **kwargs)


def observed(low: Any, high: Any, by_row: bool = True) -> tuple[Any, ...]:
    on = torch.ones(1, dtype=torch.int64)
    scale, zero = torch.ones(low.numel()), torch.zeros(low.numel(), dtype=torch.int32)
    return torch.rand(3, 4), on, on, low, high, scale, zero, 0.1, 0, 255, 0, by_row, False


def test_all_of_it_is_of_the_table() -> None:
    assert OPERATORS.keys() >= LAYOUTS.keys() | PRIVATE.keys()
    for name, (copied, flags) in PRIVATE.items():
        known = {argument.name for argument in OPERATORS[name].signature.arguments}
        assert known >= {*copied, *flags}


@pytest.mark.parametrize(
    "ranges",
    [
        (torch.zeros(1), torch.zeros(1)),
        (torch.zeros(3), torch.zeros(2)),
        (torch.zeros(3), torch.zeros(0)),
        (torch.zeros(1).expand(3), torch.zeros(3)),
        (torch.zeros(3), torch.zeros(6)[::2]),
    ],
)
def test_ranges_of_an_observer_are_as_many_as_the_rows(ranges: Any) -> None:
    with pytest.raises(ValueError, match="size of the tensor's rows"):
        run(OBSERVE, *observed(*ranges))


def test_one_range_is_enough_for_a_whole_tensor() -> None:
    with pytest.raises(ValueError, match="size of the tensor's rows"):
        run(OBSERVE, *observed(torch.zeros(0), torch.zeros(0), by_row=False))
    run(OBSERVE, *observed(torch.zeros(1), torch.zeros(1), by_row=False))
    run(OBSERVE, *observed(torch.zeros(3), torch.zeros(3)))


def test_an_observer_grows_its_ranges_but_no_parameter() -> None:
    low = torch.zeros(0)
    run(OBSERVE, *observed(low, torch.zeros(0)))
    assert low.shape == (3,)
    for trains in (True, False):
        parameter = torch.nn.Parameter(torch.zeros(0), requires_grad=trains)
        with torch.no_grad(), pytest.raises(ValueError, match="would have to grow"):
            run(OBSERVE, *observed(torch.zeros(0), parameter))
        assert parameter.shape == (0,)


def test_noise_has_a_place_for_each_value() -> None:
    with pytest.raises(ValueError, match="not contiguous"):
        run("aten::rrelu_with_noise", torch.rand(9), torch.zeros(1).expand(9), 0.1, 0.3, True)
    run("aten::rrelu_with_noise", torch.rand(9), torch.zeros(9), 0.1, 0.3, True)


@pytest.mark.parametrize("sizes", [(4, 2**62 + 1, 1), (4, 1, 2**62 + 1), (2**62 + 1, 4, 1)])
def test_sizes_of_a_group_norm_have_no_product_beyond_64_bits(sizes: Any) -> None:
    with pytest.raises(ValueError, match="not those of the input"):
        run("aten::native_group_norm", torch.rand(4), None, None, *sizes, 1, 1e-5)
    run("aten::native_group_norm", torch.rand(2, 2), None, None, 2, 2, 1, 1, 1e-5)


@pytest.mark.parametrize(("keys", "values"), [(1, 2), (2, 1), (0, 2)])
def test_attention_has_as_many_keys_as_values(keys: int, values: int) -> None:
    query, key, value = (torch.rand(1, 1, count, 4) for count in (3, keys, values))
    with pytest.raises(ValueError, match="as many keys as values"):
        run(ATTENTION, query, key, value)
    assert run(ATTENTION, query, value, value).shape == query.shape


@pytest.mark.parametrize("reduction", [1, 2])
def test_losses_of_nothing_show_no_memory(reduction: int) -> None:
    empty, target = torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64)
    calls: list[tuple[Any, ...]] = [
        ("aten::multi_margin_loss", empty, target[:, 0], 1, 1, None, reduction),
        ("aten::multilabel_margin_loss", empty, target, reduction),
        ("aten::multilabel_margin_loss_forward", empty, target, reduction),
    ]
    for name, *args in calls:
        with pytest.raises(ValueError, match="no loss of nothing"):
            run(name, *args)
        run(name, *args[:-1], 0)


def twice(count: int = 6) -> tuple[Any, Any]:
    """Two tensors of the same memory that are no views of one another, as an archive gives them."""
    storage = torch.zeros(8 * count, dtype=torch.uint8).untyped_storage()
    first, second = (torch.empty(0, dtype=torch.int64) for _ in range(2))
    return first.set_(storage, 0, (count,), (1,)), second.set_(storage, 0, (count,), (1,))


BAG = torch.tensor([0, 2, 4])
SCORES = torch.rand(6, 3)
USES: dict[str, Callable[[Any, Any], Any]] = {
    "cross_entropy_loss": lambda w, i: run("aten::cross_entropy_loss", w, i, None, 0),
    "ctc_loss.IntList": lambda w, i: run(
        "aten::ctc_loss.IntList", w.log_softmax(-1)[:, None], i[None, :2], [6], [2], 2
    ),
    "ctc_loss.Tensor": lambda w, i: run(
        *("aten::ctc_loss.Tensor", w.log_softmax(-1)[:, None], i[None, :2]),
        *(torch.tensor([6]), torch.tensor([2]), 2),
    ),
    "embedding, scaled": lambda w, i: run("aten::embedding", w, i, -1, True),
    "embedding, sparse": lambda w, i: run("aten::embedding", w, i, -1, False, True),
    "embedding_bag": lambda w, i: run("aten::embedding_bag", w, i, BAG)[0],
    "embedding_bag, sparse": lambda w, i: run("aten::embedding_bag", w, i, BAG, sparse=True)[0],
    "embedding_bag.padding_idx": lambda w, i: run(
        "aten::embedding_bag.padding_idx", w, i, BAG, False, 1, False, None, False, None
    )[0],
    "gather, sparse": lambda w, i: run("aten::gather", w, 0, i[:, None], sparse_grad=True),
    "nll_loss": lambda w, i: run("aten::nll_loss", w, i, None, 0),
    "nll_loss_forward": lambda w, i: run("aten::nll_loss_forward", w, i, None, 0, -100)[0],
    "nll_loss_nd": lambda w, i: run("aten::nll_loss_nd", w, i, None, 0),
    "nll_loss2d_forward": lambda w, i: run(
        "aten::nll_loss2d_forward", w.T.contiguous()[None, :, None], i[None, None], None, 0, -100
    )[0],
    "multi_margin_loss": lambda w, i: run("aten::multi_margin_loss", w, i),
    "multilabel_margin_loss": lambda w, i: run("aten::multilabel_margin_loss", w[:, 0], i),
}


@pytest.mark.parametrize("name", USES)
def test_indices_that_change_after_forward_change_no_gradient(name: str) -> None:
    found = []
    for changed in (False, True):
        weight = SCORES.clone().requires_grad_()
        indices, same = twice()
        result = USES[name](weight, indices)
        if changed:
            same.fill_(1)  # inside of every bound: what matters is that it is not seen
        result.sum().backward()
        if changed:
            same.fill_(2)  # nor by an optimizer
        found.append(weight.grad.to_dense())
    assert torch.equal(*found)


def test_indices_are_not_copied_where_nothing_follows() -> None:
    indices, _ = twice()
    seen = []
    with torch.no_grad():
        out = run("aten::embedding", SCORES, indices, -1, True)
    plain = run("aten::embedding", SCORES.clone().requires_grad_(), indices)
    seen += [out.shape, plain.grad_fn._saved_indices.data_ptr() == indices.data_ptr()]
    assert seen == [(6, 3), True]


def test_padding_of_half_a_million_items_is_refused_at_once() -> None:
    started = time.perf_counter()
    with pytest.raises(ArchitectureError, match="padding"):
        resolve("aten::constant_pad_nd").check([NODE, [2**47] * 400_000], {})
    assert time.perf_counter() - started < 5
