"""Modules, trees and checkpoints of TensorFlow of every sort, by name: how to make each, and what to call.

Run in children (tensorflow_fresh.py). The classes are here only: what loads an archive has none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

Call = tuple[str, tuple[Any, ...], dict[str, Any]]  # entry, positional, keyword arguments


@dataclass(frozen=True)
class Case:
    """A thing to save, what `example_inputs` says of it, and what is called, in this order."""

    thing: Any
    inputs: Any = None  # none: its methods say it themselves, or it has none
    calls: Sequence[Call] = field(default_factory=tuple)
    trains: str | None = None  # the entry whose outputs a training step makes small


CASES: dict[str, Callable[[], Case]] = {}
MODULES: set[str] = set()  # with entries; the others are state only

rng = np.random.default_rng(7)


def case(make: Callable[[], Case]) -> Callable[[], Case]:
    """A module with entries."""
    MODULES.add(make.__name__)
    return state(make)


def state(make: Callable[[], Case]) -> Callable[[], Case]:
    """Something that has no entries: variables, trees, checkpoints."""
    CASES[make.__name__] = make
    return make


def numbers(*shape: int) -> Any:
    return rng.normal(size=shape).astype("float32")


def whole(high: int, *shape: int) -> Any:
    return rng.integers(0, high, size=shape).astype("int32")


def spec(*shape: int | None, dtype: Any = tf.float32, name: str | None = None) -> Any:
    return tf.TensorSpec(shape, dtype, name=name)


def call(*args: Any, entry: str = "__call__", **kwargs: Any) -> Call:
    return entry, args, kwargs


def weight(*shape: int, name: str | None = None, trainable: bool = True) -> Any:
    return tf.Variable(numbers(*shape) * 0.3, name=name, trainable=trainable)


def simple(thing: Any, *arrays: Any, trains: bool = True, dynamic: bool = False) -> Case:
    """A module that is called with these arrays, the first axis of any size if `dynamic`."""
    given = tuple(
        tf.TensorSpec([None if dynamic and not n else k for n, k in enumerate(a.shape)], a.dtype)
        for a in arrays
    )
    return Case(thing, given, [call(*arrays)], "__call__" if trains else None)


class Dense(tf.Module):
    """A layer, as everybody writes it first."""

    def __init__(self, rows: int, columns: int, *, relu: bool = True) -> None:
        super().__init__()
        self.w = weight(rows, columns, name="w")
        self.b = tf.Variable(tf.zeros([columns]), name="b")
        self.relu = relu

    def __call__(self, x: Any) -> Any:
        y = x @ self.w + self.b
        return tf.nn.relu(y) if self.relu else y


class Of(tf.Module):
    """A module of a function of its variables and of the inputs."""

    def __init__(self, function: Callable[..., Any], **variables: Any) -> None:
        super().__init__()
        self.kept = variables
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **self.kept, **kwargs)


# Layers


@case
def dense() -> Case:
    return simple(Dense(4, 3), numbers(5, 4), dynamic=True)


@case
def tree_of_modules() -> Case:
    class Sequential(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [Dense(6, 8), Dense(8, 8), Dense(8, 2, relu=False)]
            self.scale = tf.Variable(2.0, trainable=False, name="scale")

        def __call__(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return x * self.scale

    return simple(Sequential(), numbers(3, 6), dynamic=True)


@case
def shared_module() -> Case:
    class Twice(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = Dense(4, 4)
            self.second = self.first
            self.tied = {"weight": self.first.w}

        def __call__(self, x: Any) -> Any:
            return self.second(self.first(x)) @ tf.transpose(self.tied["weight"])

    return simple(Twice(), numbers(2, 4))


@case
def convolutions() -> Case:
    def run(x: Any, *, kernel: Any, depthwise: Any, bias: Any) -> Any:
        x = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 2, "SAME"), bias)
        x = tf.nn.depthwise_conv2d(tf.nn.relu(x), depthwise, [1, 1, 1, 1], "VALID")
        return tf.nn.max_pool2d(x, 2, 1, "SAME") + tf.nn.avg_pool2d(x, 3, 1, "SAME")

    made = Of(run, kernel=weight(3, 3, 3, 4), depthwise=weight(2, 2, 4, 2), bias=weight(4))
    return simple(made, numbers(2, 9, 9, 3))


@case
def convolutions_of_other_ranks() -> Case:
    def run(x: Any, *, one: Any, up: Any, three: Any) -> Any:
        x = tf.nn.conv1d(x, one, 1, "SAME", dilations=2)
        y = tf.nn.conv2d_transpose(x[:, :, None], up, [2, 16, 2, 3], [2, 2], "SAME")
        return tf.nn.conv3d(y[:, :, :, None, :], three, [1, 2, 1, 1, 1], "SAME")

    made = Of(run, one=weight(3, 2, 4), up=weight(2, 2, 3, 4), three=weight(2, 2, 1, 3, 2))
    return simple(made, numbers(2, 8, 2))


@case
def batch_norm() -> Case:
    class Norm(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gamma, self.beta = weight(3), weight(3)
            self.mean = tf.Variable(tf.zeros([3]), trainable=False)
            self.variance = tf.Variable(tf.ones([3]), trainable=False)

        def __call__(self, x: Any) -> Any:
            y, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, self.gamma, self.beta)
            self.mean.assign(0.9 * self.mean + 0.1 * mean)
            self.variance.assign(0.9 * self.variance + 0.1 * variance)
            return y

        def infer(self, x: Any) -> Any:
            return tf.nn.batch_normalization(
                x, self.mean, self.variance, self.beta, self.gamma, 1e-3
            )

    x = numbers(4, 5, 5, 3)
    given = (spec(None, 5, 5, 3),)
    return Case(
        Norm(),
        {"__call__": given, "infer": given},
        [call(x), call(x, entry="infer"), call(2 * x), call(x, entry="infer")],
        "__call__",
    )


@case
def layer_norm_and_attention() -> Case:
    def run(x: Any, *, query: Any, key: Any, value: Any, gamma: Any) -> Any:
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        x = (x - mean) * tf.math.rsqrt(variance + 1e-5) * gamma
        q, k, v = (tf.einsum("btd,dhe->bhte", x, one) for one in (query, key, value))
        scores = tf.linalg.matmul(q, k, transpose_b=True) / tf.sqrt(3.0)
        length = tf.shape(x)[1]
        mask = tf.linalg.band_part(tf.ones([length, length]), -1, 0)
        scores = tf.where(mask > 0, scores, tf.constant(-1e9))
        return tf.einsum("bhte->bthe", tf.nn.softmax(scores) @ v)

    made = Of(
        run, query=weight(6, 2, 3), key=weight(6, 2, 3), value=weight(6, 2, 3), gamma=weight(6)
    )
    return Case(made, (spec(None, None, 6),), [call(numbers(2, 4, 6)), call(numbers(1, 7, 6))], "__call__")  # fmt: skip


@case
def embedding() -> Case:
    def run(tokens: Any, *, table: Any, out: Any) -> Any:
        x = tf.nn.embedding_lookup(table, tokens)
        mask = tf.cast(tokens != 0, tf.float32)[..., None]
        return tf.reduce_sum(x * mask, 1) / tf.maximum(tf.reduce_sum(mask, 1), 1.0) @ out

    return simple(Of(run, table=weight(10, 4), out=weight(4, 3)), whole(10, 3, 5), dynamic=True)


# Control flow


@case
def recurrence() -> Case:
    def run(x: Any, *, w: Any, u: Any) -> Any:
        x = tf.transpose(x, [1, 0, 2])
        steps = tf.shape(x)[0]
        outputs = tf.TensorArray(tf.float32, size=steps, element_shape=[None, 3])

        def body(i: Any, h: Any, out: Any) -> Any:
            h = tf.tanh(x[i] @ w + h @ u)
            return i + 1, h, out.write(i, h)

        start = tf.zeros([tf.shape(x)[1], 3])
        _, last, out = tf.while_loop(
            lambda i, h, out: i < steps, body, (tf.constant(0), start, outputs)
        )
        return {"all": tf.transpose(out.stack(), [1, 0, 2]), "last": last}

    made = Of(run, w=weight(4, 3), u=weight(3, 3))
    return Case(made, (spec(None, None, 4),), [call(numbers(2, 5, 4)), call(numbers(3, 1, 4))], "__call__")  # fmt: skip


@case
def lstm() -> Case:
    def run(x: Any, *, w: Any, u: Any, b: Any) -> Any:
        def step(state: Any, x: Any) -> Any:
            h, c = state
            i, f, g, o = tf.split(x @ w + h @ u + b, 4, axis=-1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            return tf.sigmoid(o) * tf.tanh(c), c

        zeros = tf.zeros([2, 3])
        h, c = tf.scan(step, tf.transpose(x, [1, 0, 2]), initializer=(zeros, zeros))
        return h, c[-1]

    return simple(Of(run, w=weight(4, 12), u=weight(3, 12), b=weight(12)), numbers(2, 5, 4))


@case
def branches() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        return tf.cond(
            tf.reduce_sum(x) > 0,
            lambda: tf.cond(tf.reduce_max(x) > 1, lambda: x * w, lambda: x + w),
            lambda: -x * w,
        )

    made = Of(run, w=weight(3))
    inputs = np.array([[1, 2, 3], [0.1, 0.2, 0.3], [-1, -2, -3]], "float32")
    return Case(made, (spec(3),), [call(one) for one in inputs], "__call__")


@case
def many_branches() -> Case:
    def run(n: Any, x: Any, *, w: Any) -> Any:
        return tf.switch_case(n, [lambda: x + w, lambda: x * w, lambda: tf.sin(x) * w])

    made = Of(run, w=weight(3))
    calls = [call(np.int32(n), numbers(3)) for n in (0, 1, 2, 7)]
    return Case(made, (spec(dtype=tf.int32), spec(3)), calls, "__call__")


@case
def loops_in_branches_in_loops() -> Case:
    def run(x: Any, n: Any, *, w: Any) -> Any:
        def inner(x: Any) -> Any:
            return tf.while_loop(lambda k, x: k < 3, lambda k, x: (k + 1, tf.sin(x) + w), (0, x))[1]

        def body(i: Any, x: Any) -> Any:
            return i + 1, tf.cond(i % 2 == 0, lambda: inner(x), lambda: x * 0.5)

        return tf.while_loop(lambda i, x: i < n, body, (0, x), maximum_iterations=20)

    made = Of(run, w=weight(3))
    calls = [call(numbers(2, 3), np.int32(n)) for n in (0, 1, 4)]
    return Case(made, (spec(None, 3), spec(dtype=tf.int32)), calls, "__call__")


@case
def autograph() -> Case:
    class Collatz(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = tf.Variable(1.5)

        @tf.function(input_signature=[spec(dtype=tf.int32), spec(None)])
        def __call__(self, n: Any, x: Any) -> Any:
            steps = 0
            while n > 1:
                if n % 2 == 0:
                    n = n // 2
                else:
                    n = 3 * n + 1
                    x = x * self.gain
                steps += 1
            for i in tf.range(3):
                x = x + tf.cast(i, tf.float32)
            return steps, x

    return Case(Collatz(), None, [call(np.int32(7), numbers(3)), call(np.int32(1), numbers(1))], "__call__")  # fmt: skip


@case
def nested_functions() -> Case:
    class Nested(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = weight(3, 3)

        @tf.function
        def inner(self, x: Any) -> Any:
            return tf.tanh(x @ self.w)

        @tf.function(input_signature=[spec(None, 3)])
        def __call__(self, x: Any) -> Any:
            return self.inner(self.inner(x)) + self.inner(x)

    return Case(Nested(), None, [call(numbers(2, 3))], "__call__")


@case
def map_over_rows() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        return tf.map_fn(lambda row: tf.reduce_sum(row * w) * row, x)

    return simple(Of(run, w=weight(4)), numbers(3, 4), dynamic=True)


# Entries and what they take


@case
def several_entries() -> Case:
    class Coder(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inward, self.outward = Dense(6, 2), Dense(2, 6, relu=False)

        @tf.function(input_signature=[spec(None, 6)])
        def encode(self, x: Any) -> Any:
            return self.inward(x)

        @tf.function(input_signature=[spec(None, 2)])
        def decode(self, x: Any) -> Any:
            return self.outward(x)

        @tf.function(input_signature=[spec(None, 6)])
        def __call__(self, x: Any) -> Any:
            return self.decode(self.encode(x))

    x = numbers(3, 6)
    calls = [call(x), call(x, entry="encode"), call(x[:, :2], entry="decode")]
    return Case(Coder(), None, calls, "__call__")


@case
def keyword_arguments() -> Case:
    def run(x: Any, scale: Any = 1.0, *, w: Any, offset: Any, training: bool = False) -> Any:
        return (x * w * scale + offset) * (2.0 if training else 1.0)

    made = Of(run, w=weight(3))
    x, offset = numbers(2, 3), numbers(3)
    return Case(
        made,
        ((spec(None, 3), spec()), {"offset": spec(3), "training": True}),
        [call(x, np.float32(3), offset=offset, training=True)],
        "__call__",
    )


@case
def nested_structures() -> Case:
    def run(batch: Any, *, w: Any) -> Any:
        x, more = batch["x"], batch["more"]
        return {
            "sum": [x + more[0], x * w],
            "pair": (tf.shape(x), {"inner": more[1] - x}),
            "nothing": None,
        }

    made = Of(run, w=weight(3))
    given = {"x": spec(None, 3), "more": [spec(3), spec(None, 3)]}
    value = {"x": numbers(2, 3), "more": [numbers(3), numbers(2, 3)]}
    return Case(made, (given,), [call(value)], "__call__")


@case
def captured_constants() -> Case:
    table = tf.constant(numbers(64, 16))
    tiny = tf.constant([[1, 2], [3, 4]], tf.int64)
    inline, wide = numbers(16, 300), numbers(300, 4)

    def run(x: Any, *, w: Any) -> Any:
        y = x @ w @ table @ tf.constant(inline) @ wide
        return y, tiny, np.float32(2.5) * x

    return simple(Of(run, w=weight(4, 64)), numbers(2, 4))


# State that calls change


@case
def counter() -> Case:
    class Counter(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = tf.Variable(0, dtype=tf.int64, trainable=False, name="count")
            self.history = tf.Variable(tf.zeros([4]), trainable=False, name="history")

        @tf.function(input_signature=[spec()])
        def add(self, x: Any) -> Any:
            place = self.count.assign_add(1) % 4
            self.history.scatter_nd_update([[place]], [x])
            return self.history.read_value(), self.count.read_value()

        @tf.function(input_signature=[])
        def reset(self) -> None:
            self.count.assign(0)
            self.history.assign(tf.zeros([4]))

    adds = [call(np.float32(n), entry="add") for n in range(6)]
    return Case(Counter(), None, [*adds, call(entry="reset"), *adds[:2]])


@case
def stateless_noise() -> Case:
    def run(x: Any, seed: Any, *, w: Any) -> Any:
        noise = tf.random.stateless_normal(tf.shape(x), seed) * w
        keep = tf.random.stateless_uniform(tf.shape(x), seed + 1) > 0.3
        return tf.where(keep, x + noise, 0.0)

    x, seed = numbers(3, 4), np.array([3, 9], "int32")
    return simple(Of(run, w=weight(4)), x, seed)


@case
def generator() -> Case:
    class Noise(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.generator = tf.random.Generator.from_seed(12)
            self.w = weight(3)

        @tf.function(input_signature=[spec(None, 3)])
        def __call__(self, x: Any) -> Any:
            noise = self.generator.normal(tf.shape(x)) + self.generator.uniform([3])
            return x * self.w + noise

    return Case(Noise(), None, [call(numbers(2, 3)), call(numbers(1, 3))], "__call__")


@case
def seeded_noise() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        return tf.nn.dropout(x * w, 0.4, seed=5) + tf.random.normal(tf.shape(x), seed=9)

    made = Of(run, w=weight(4))
    return Case(made, (spec(None, 4),), [call(numbers(3, 4)), call(numbers(2, 4))], "__call__")
