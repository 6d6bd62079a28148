"""Modules, trees and checkpoints of TensorFlow of every sort, by name.

Each says how it is made and what to call. Run in children (tensorflow_fresh.py). The classes are
here only: what loads an archive has none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
    own_gradient: bool = False  # of code, which no archive keeps: training is the same but for bits


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


def seeded_keras() -> Any:
    """Keras, whose layers begin as `rng` says."""
    import keras

    keras.utils.set_random_seed(int(rng.integers(1000)))
    return keras


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
    calls = [call(numbers(2, 4, 6)), call(numbers(1, 7, 6))]
    return Case(made, (spec(None, None, 6),), calls, "__call__")


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
    calls = [call(numbers(2, 5, 4)), call(numbers(3, 1, 4))]
    return Case(made, (spec(None, None, 4),), calls, "__call__")


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

    calls = [call(np.int32(7), numbers(3)), call(np.int32(1), numbers(1))]
    return Case(Collatz(), None, calls, "__call__")


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


@case
def changes_in_control_flow() -> Case:
    class Changing(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.total = tf.Variable(tf.zeros([2]), trainable=False)
            self.calls = tf.Variable(0, trainable=False, dtype=tf.int32)

        @tf.function(input_signature=[spec(2), spec(dtype=tf.int32)])
        def __call__(self, x: Any, n: Any) -> Any:
            for i in tf.range(n):
                if i % 2 == 0:
                    self.total.assign_add(x)
                else:
                    self.total.assign(self.total * 0.5)
                self.calls.assign_add(1)
            return self.total + 0.0

    return Case(Changing(), None, [call(numbers(2), np.int32(n)) for n in (3, 0, 4)])


@case
def training_step_as_entry() -> Case:
    class Trainer(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [Dense(4, 5), Dense(5, 1, relu=False)]
            self.momentum = [tf.Variable(tf.zeros_like(v), trainable=False) for v in self.weights]

        @property
        def weights(self) -> Any:
            return [v for layer in self.layers for v in (layer.w, layer.b)]

        @tf.function(input_signature=[spec(None, 4), spec(None, 1)])
        def step(self, x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                out = self.layers[1](self.layers[0](x))
                loss = tf.reduce_mean(tf.square(out - y))
            grads = tape.gradient(loss, self.weights)
            for variable, momentum, grad in zip(self.weights, self.momentum, grads, strict=True):
                momentum.assign(0.9 * momentum + grad)
                variable.assign_sub(0.1 * momentum)
            return loss

        @tf.function(input_signature=[spec(None, 4)])
        def __call__(self, x: Any) -> Any:
            return self.layers[1](self.layers[0](x))

    x, y = numbers(6, 4), numbers(6, 1)
    steps = [call(x, y, entry="step") for _ in range(3)]
    return Case(Trainer(), None, [*steps, call(x)], "__call__")


@case
def optimizer_as_entry() -> Case:
    keras = seeded_keras()

    class Trainer(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = Dense(4, 2)
            self.optimizer = keras.optimizers.AdamW(0.05, name="own")
            self.optimizer.build([self.dense.w, self.dense.b])
            # Keras keeps its variables in objects of its own
            self.slots = [one.value for one in self.optimizer.variables]

        @tf.function(input_signature=[spec(None, 4)])
        def step(self, x: Any) -> Any:
            weights = [self.dense.w, self.dense.b]
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(self.dense(x)))
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return loss

    x = numbers(6, 4)
    return Case(Trainer(), None, [call(x, entry="step") for _ in range(3)])


# Values and shapes of every sort


@case
def any_rank() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        flat = tf.reshape(x, [-1, 2]) @ w
        return tf.reshape(flat, tf.shape(x)), tf.rank(x), tf.size(x, out_type=tf.int64)

    given = (tf.TensorSpec(None, tf.float32),)
    calls = [call(numbers(*shape)) for shape in ((2,), (3, 2), (2, 3, 2), (0, 2))]
    return Case(Of(run, w=weight(2, 2)), given, calls, "__call__")


@case
def shapes_that_are_computed() -> Case:
    def run(x: Any, n: Any, *, w: Any) -> Any:
        rows, columns = tf.unstack(tf.shape(x))
        tiled = tf.tile(x @ w, [n, 1])
        padded = tf.pad(tiled, [[0, rows], [1, 1]], constant_values=0.5)
        return padded[::2, 1:-1], tf.ones([n, columns]), tf.range(n, dtype=tf.int32)

    made = Of(run, w=weight(3, 3))
    calls = [call(numbers(2, 3), np.int32(1)), call(numbers(1, 3), np.int32(4))]
    return Case(made, (spec(None, 3), spec(dtype=tf.int32)), calls, "__call__")


@case
def strings() -> Case:
    def run(text: Any, *, table: Any) -> Any:
        lower = tf.strings.lower(text)
        joined = tf.strings.join([lower, tf.constant(b"\xff\x00raw")], separator="-")
        bucket = tf.strings.to_hash_bucket_fast(text, 8)
        known = tf.cast(tf.equal(text, tf.constant(["Yes", "Nö"])), tf.float32)
        return joined, tf.strings.length(text), tf.gather(table, bucket) * known[:, None]

    text = np.array(["Yes", "Nö".encode()], dtype=object)
    given = (spec(2, dtype=tf.string),)
    return Case(Of(run, table=weight(8, 3)), given, [call(text)], "__call__")


@case
def text_to_numbers() -> Case:
    def run(text: Any, *, table: Any) -> Any:
        clean = tf.strings.strip(tf.strings.regex_replace(text, "[^0-9.]+", " "))
        value = tf.strings.to_number(clean)
        return tf.strings.as_string(value), tf.strings.substr(text, 0, 1), value * table

    text = np.array([b"a 1.5", b"22 %"], dtype=object)
    return Case(Of(run, table=weight(2)), (spec(2, dtype=tf.string),), [call(text)], "__call__")


@case
def complex_numbers() -> Case:
    def run(x: Any, *, w: Any, phase: Any) -> Any:
        z = tf.signal.fft(tf.complex(x, tf.zeros_like(x))) * phase
        back = tf.math.real(tf.signal.ifft(z)) * w
        return back, tf.abs(z), tf.signal.rfft(x), tf.math.angle(z)

    phase = tf.Variable(tf.complex(numbers(8), numbers(8)), trainable=False)
    return simple(Of(run, w=weight(8), phase=phase), numbers(2, 8))


@case
def spectrogram() -> Case:
    def run(sound: Any, *, mel: Any) -> Any:
        stft = tf.signal.stft(sound, frame_length=16, frame_step=8)
        return tf.math.log(tf.abs(stft) @ mel + 1e-3)

    return simple(Of(run, mel=tf.Variable(np.abs(numbers(9, 4)))), numbers(2, 64))


@case
def half_precision() -> Case:
    def run(x: Any, *, w: Any, b: Any) -> Any:
        y = tf.cast(tf.cast(x, tf.bfloat16) @ w, tf.float16) + b
        return y, tf.cast(y, tf.float64), tf.nn.relu(tf.cast(y, tf.float32))

    w = tf.Variable(tf.cast(numbers(4, 3), tf.bfloat16))
    b = tf.Variable(tf.cast(numbers(3), tf.float16))
    return simple(Of(run, w=w, b=b), numbers(2, 4))


@case
def integers() -> Case:
    def run(x: Any, small: Any, *, table: Any, flags: Any) -> Any:
        bits = tf.bitwise.bitwise_xor(x, table) % 7
        return (
            tf.bitwise.left_shift(x, tf.constant(2, tf.int64)),
            tf.math.floordiv(x, 3),
            tf.where(flags, tf.cast(small, tf.int64), bits),
            tf.math.cumsum(x, exclusive=True, reverse=True),
        )

    table = tf.Variable([5, 6, 7], dtype=tf.int64)
    flags = tf.Variable([True, False, True])
    return simple(
        Of(run, table=table, flags=flags),
        np.array([-4, 9, 2**40]),
        np.array([1, 255, 3], "uint8"),
        trains=False,
    )


@case
def special_numbers() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        limits = tf.constant([np.inf, -np.inf, np.nan, -0.0, 1e-45, np.float32(np.pi)])
        return limits + x, tf.clip_by_value(x * w, -np.inf, 0.1), tf.math.is_nan(limits)

    return simple(Of(run, w=weight(6)), numbers(6))


# Operators of every family


@case
def gathering() -> Case:
    def run(x: Any, places: Any, *, w: Any) -> Any:
        picked = tf.gather(x * w, places, axis=1)
        dots = tf.gather_nd(x, [[0, 1], [1, 2]])
        spread = tf.scatter_nd([[1], [3]], dots[:, None] * tf.ones([2, 2]), [5, 2])
        changed = tf.tensor_scatter_nd_add(x, [[0, 0]], [3.0])
        sums = tf.math.unsorted_segment_sum(x, [1, 0], 3)
        return picked, spread, changed, sums, tf.one_hot(places, 4)

    return simple(Of(run, w=weight(3)), numbers(2, 3), np.array([2, 0, 0], "int32"))


@case
def sorting() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        values, places = tf.math.top_k(x * w, 2)
        order = tf.argsort(x, direction="DESCENDING", stable=True)
        return values, places, tf.sort(x), order, tf.argmax(x, -1), tf.math.cumprod(x, -1)

    return simple(Of(run, w=weight(5)), numbers(3, 5))


@case
def linear_algebra() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        square = tf.linalg.matmul(x, x, transpose_b=True) + tf.eye(3) * 2.0
        lower = tf.linalg.cholesky(square)
        solved = tf.linalg.triangular_solve(lower, w)
        return (
            solved,
            tf.linalg.inv(square),
            tf.linalg.det(square),
            tf.linalg.diag_part(square),
            tf.linalg.solve(square, w),
            tf.norm(x),
            tf.linalg.trace(square),
        )

    return simple(Of(run, w=weight(3, 2)), numbers(3, 4))


@case
def reductions() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        y = x * w
        return (
            tf.reduce_logsumexp(y, 1),
            tf.reduce_prod(y, [0, 2]),
            tf.reduce_max(y, keepdims=True),
            tf.reduce_any(y > 0, -1),
            tf.math.reduce_std(y, 0),
            tf.math.l2_normalize(y, -1),
            tf.nn.log_softmax(y),
        )

    return simple(Of(run, w=weight(4)), numbers(2, 3, 4), dynamic=True)


@case
def activations() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        y = x * w
        return [
            function(y)
            for function in (
                tf.nn.elu, tf.nn.selu, tf.nn.leaky_relu, tf.nn.relu6, tf.nn.softplus,
                tf.nn.softsign, tf.nn.gelu, tf.math.erf, tf.math.atan,
                tf.math.sinh, tf.math.expm1, tf.math.lgamma,
            )
        ]  # fmt: skip

    return simple(Of(run, w=weight(4)), numbers(3, 4))


@case
def losses() -> Case:
    def run(x: Any, labels: Any, *, w: Any) -> Any:
        logits = x @ w
        sparse = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        dense = tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(labels, 3), logits)
        binary = tf.nn.sigmoid_cross_entropy_with_logits(tf.one_hot(labels, 3), logits)
        return sparse, dense, tf.reduce_mean(binary), tf.nn.l2_loss(w)

    return simple(Of(run, w=weight(4, 3)), numbers(2, 4), whole(3, 2))


@case
def images() -> Case:
    def run(x: Any, *, gain: Any) -> Any:
        small = tf.image.resize(x * gain, [3, 5])
        near = tf.image.resize(x, [9, 9], method="nearest")
        return small, near, tf.image.flip_left_right(x), tf.image.rgb_to_grayscale(x)

    return simple(Of(run, gain=weight(3)), numbers(2, 6, 6, 3), dynamic=True)


@case
def blocks() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        deep = tf.nn.space_to_depth(x, 2) * w
        stacked = tf.concat([deep, tf.roll(deep, 1, 2), tf.reverse(deep, [1])], axis=-1)
        parts = tf.split(stacked, [4, 8], axis=-1)
        return tf.nn.depth_to_space(parts[0], 2), tf.meshgrid([1.0, 2.0], [3.0]), parts[1]

    return simple(Of(run, w=weight(4)), numbers(1, 4, 4, 1))


# Training


@case
def partly_frozen() -> Case:
    class Transfer(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base = Dense(4, 6)
            for name in ("w", "b"):
                kept = getattr(self.base, name)
                setattr(self.base, name, tf.Variable(kept, trainable=False, name=f"base_{name}"))
            self.head = Dense(6, 2, relu=False)
            self.unused = weight(3, name="unused")

        def __call__(self, x: Any) -> Any:
            return self.head(tf.stop_gradient(self.base(x)))

    return simple(Transfer(), numbers(5, 4), dynamic=True)


@case
def gradients_of_gradients() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.tanh(x @ w) ** 3)
            first = inner.gradient(y, x)
            penalty = tf.reduce_sum(first**2)
        return outer.gradient(penalty, x), first

    return simple(Of(run, w=weight(3, 2)), numbers(2, 3))


@case
def clipped_and_normal() -> Case:
    def run(x: Any, *, w: Any) -> Any:
        parts, norm = tf.clip_by_global_norm([x @ w, x * 3.0], 1.5)
        return tf.clip_by_norm(parts[0], 0.5, axes=[1]), norm

    return simple(Of(run, w=weight(3, 2)), numbers(2, 3))


@case
def silu() -> Case:
    """What `tf.custom_gradient` wraps in TensorFlow itself."""
    made = simple(Of(lambda x, *, w: tf.nn.silu(x @ w), w=weight(3, 2)), numbers(2, 3))
    return replace(made, own_gradient=True)


@case
def tied_variable() -> Case:
    class Tied(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = weight(7, 4, name="embedding")
            self.decoder = {"kernel": self.embedding}

        def __call__(self, tokens: Any) -> Any:
            hidden = tf.gather(self.embedding, tokens)
            return tf.matmul(hidden, self.decoder["kernel"], transpose_b=True)

    return simple(Tied(), whole(7, 2, 3))


@case
def variable_without_shape() -> Case:
    class Growing(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = tf.Variable(numbers(1, 2), shape=[None, 2], trainable=False)

        @tf.function(input_signature=[spec(None, 2)])
        def add(self, x: Any) -> Any:
            self.rows.assign(tf.concat([self.rows, x], 0))
            return self.rows.read_value()

    return Case(Growing(), None, [call(numbers(n, 2), entry="add") for n in (1, 2)])


@case
def keras_layers_inside() -> Case:
    keras = seeded_keras()

    class Holder(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3, activation="gelu", name="dense")
            self.norm = keras.layers.LayerNormalization(name="norm")
            self.norm(self.dense(tf.zeros([1, 4])))

        def __call__(self, x: Any) -> Any:
            return self.norm(self.dense(x))

    return simple(Holder(), numbers(2, 4), dynamic=True)


# State only


@state
def variables_of_every_type() -> Case:
    module = tf.Module()
    module.kept = {
        **{
            name: tf.Variable(np.array([[0, 1, 100]]).astype(name), name=f"v/{name}:odd")
            for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
        },
        "half": tf.Variable([1.5, -0.0], dtype=tf.float16),
        "brain": tf.Variable([1.5, 3e38], dtype=tf.bfloat16),
        "double": tf.Variable(np.array([np.pi, np.nan])),
        "complex": tf.Variable([1 + 2j], dtype=tf.complex64),
        "complex128": tf.Variable([1 + 2j], dtype=tf.complex128),
        "flag": tf.Variable([True, False]),
        "text": tf.Variable([b"\xff\x00", "Zürich".encode()]),
        "scalar": tf.Variable(3.0, trainable=False),
        "nothing": tf.Variable(tf.zeros([0, 5])),
    }
    return Case(module)


@state
def tree_of_variables() -> Case:
    first = weight(3, 2, name="first")
    return Case(
        {
            "layers": [{"w": first, "b": weight(2)}, (weight(2, 2), tf.constant(numbers(3)))],
            "again": first,
            "step": 17,
            "rate": 0.1,
            "name": "run é",
            "nothing": None,
        }
    )


@state
def checkpoint() -> Case:
    model = Dense(3, 2)
    made = tf.train.Checkpoint(
        model=model, step=tf.Variable(5, dtype=tf.int64), more=[weight(2), {"deep": weight(1)}]
    )
    return Case(made)


@state
def checkpoint_with_optimizer() -> Case:
    keras = seeded_keras()

    layers = keras.layers.Dense(3, name="first"), keras.layers.Dense(1, name="second")
    model = keras.Sequential([keras.Input((4,)), *layers], name="model")
    model.compile(keras.optimizers.Adam(0.01, name="own"), "mse")
    model.train_on_batch(numbers(4, 4), numbers(4, 1))
    return Case(tf.train.Checkpoint(model=model, optimizer=model.optimizer))
