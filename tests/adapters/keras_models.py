"""Models of Keras of every sort, by name: how to make each, and data to train it with.

Run by each backend in children (keras_fresh.py). Every layer of the table is in one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers as L
from keras import ops

Made = tuple[Any, Any, Any]  # model, inputs, targets

CASES: dict[str, Callable[[], Made]] = {}
TENSORFLOW_ONLY: set[str] = set()
THIRD: set[str] = set()  # on PyTorch and JAX, too

rng = np.random.default_rng(7)


def case(make: Callable[[], Made]) -> Callable[[], Made]:
    """A model on the TensorFlow backend."""
    CASES[make.__name__] = make
    return make


def everywhere(make: Callable[[], Made]) -> Callable[[], Made]:
    """A model on all backends."""
    THIRD.add(make.__name__)
    return case(make)


def numbers(*shape: int) -> Any:
    return rng.normal(size=shape).astype("float32")


def images(size: int = 8, channels: int = 3) -> Any:
    return rng.uniform(0, 255, size=(4, size, size, channels)).astype("float32")


def whole(high: int, *shape: int) -> Any:
    return rng.integers(0, high, size=shape).astype("int32")


def compiled(model: Any, optimizer: Any = "adam", loss: Any = "mse", **more: Any) -> Any:
    model.compile(optimizer, loss=loss, run_eagerly=True, **more)
    return model


def sequential(
    x: Any, *parts: Any, optimizer: Any = "adam", loss: Any = "mse", **more: Any
) -> Made:
    model = keras.Sequential([keras.Input(x.shape[1:], dtype=x.dtype.name), *parts])
    compiled(model, optimizer, loss, **more)
    return model, x, numbers(*(len(x), *model.output_shape[1:]))


# Core


@everywhere
def first_model() -> Made:
    return sequential(numbers(16, 8), L.Dense(64, activation="relu"), L.Dense(1))


@everywhere
def regularized() -> Made:
    return sequential(
        numbers(8, 6),
        L.Dense(
            5,
            activation=keras.activations.gelu,
            kernel_initializer=keras.initializers.HeNormal(seed=3),
            kernel_regularizer=keras.regularizers.L1L2(0.01, 0.02),
            bias_regularizer="l1",
            activity_regularizer=keras.regularizers.L2(0.1),
            kernel_constraint=keras.constraints.MaxNorm(2.0),
            bias_constraint="non_neg",
        ),
        L.ActivityRegularization(0.1, 0.2),
        L.Dense(2, kernel_regularizer=keras.regularizers.OrthogonalRegularizer(0.1)),
    )


@case
def initializers() -> Made:
    named = [
        keras.initializers.RandomNormal(0.0, 0.1, seed=1),
        keras.initializers.RandomUniform(-0.1, 0.1),
        keras.initializers.TruncatedNormal(),
        keras.initializers.Orthogonal(2.0),
        keras.initializers.VarianceScaling(2.0, "fan_avg", "uniform"),
        keras.initializers.Constant(0.25),
        keras.initializers.Identity(3.0),
        "glorot_normal", "he_uniform", "lecun_normal", "lecun_uniform", "ones",
    ]  # fmt: skip
    return sequential(numbers(4, 6), *[L.Dense(6, kernel_initializer=one) for one in named])


@case
def constraints() -> Made:
    named = [
        keras.constraints.UnitNorm(axis=1),
        keras.constraints.MinMaxNorm(0.1, 2.0, rate=0.5),
        keras.constraints.NonNeg(),
    ]
    return sequential(numbers(4, 6), *[L.Dense(6, kernel_constraint=one) for one in named])


@case
def activations() -> Made:
    names = (
        "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear "
        "log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus "
        "softsign sparse_plus sparse_sigmoid sparsemax squareplus tanh tanh_shrink threshold"
    ).split()
    x = keras.Input((6,))
    outputs = [L.Activation(name)(L.Dense(3)(x)) for name in names if name != "threshold"]
    return compiled(keras.Model(x, L.Add()(outputs))), numbers(4, 6), numbers(4, 3)


@everywhere
def activation_layers() -> Made:
    return sequential(
        numbers(4, 6),
        L.Dense(6),
        L.PReLU(),
        L.ELU(0.5),
        L.LeakyReLU(negative_slope=0.2),
        L.ReLU(max_value=6.0, negative_slope=0.1, threshold=0.1),
        L.Softmax(axis=-1),
        L.Identity(),
        L.Dense(2, activation=L.LeakyReLU()),
    )


@everywhere
def embedding_and_masking() -> Made:
    return sequential(whole(20, 8, 5), L.Embedding(20, 4, mask_zero=True), L.LSTM(3), L.Dense(1))


@case
def masking_layer() -> Made:
    x = numbers(4, 5, 3)
    x[:, 3:] = 0
    return sequential(x, L.Masking(0.0), L.GRU(3), L.Dense(1))


@case
def reversible_embedding() -> Made:
    layer = L.ReversibleEmbedding(12, 4)
    x = keras.Input((5,), dtype="int32")
    model = keras.Model(x, layer(L.Dense(4)(layer(x)), reverse=True))
    return compiled(model), whole(12, 4, 5), numbers(4, 5, 12)


@case
def einsum_dense() -> Made:
    layer = L.EinsumDense("abc,cd->abd", output_shape=(None, 7), bias_axes="d")
    model = compiled(keras.Sequential([keras.Input((5, 6)), layer]))
    return model, numbers(4, 5, 6), numbers(4, 5, 7)


# Convolutions and pooling


@everywhere
def convolutions() -> Made:
    return sequential(
        images(8, 3),
        L.Rescaling(1 / 255, offset=0.1),
        L.Conv2D(4, 3, padding="same", activation="relu"),
        L.BatchNormalization(momentum=0.9),
        L.MaxPooling2D(),
        L.SeparableConv2D(6, 3, padding="same"),
        L.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
        L.GlobalAveragePooling2D(),
        L.Dense(2, activation="softmax"),
        loss="categorical_crossentropy",
    )


@case
def convolutions_1d() -> Made:
    return sequential(
        numbers(4, 12, 3),
        L.Conv1D(4, 3, dilation_rate=2, padding="causal"),
        L.SeparableConv1D(4, 3),
        L.DepthwiseConv1D(2),
        L.Conv1DTranspose(3, 3, strides=2),
        L.AveragePooling1D(2),
        L.MaxPooling1D(2),
        L.ZeroPadding1D(2),
        L.Cropping1D((1, 1)),
        L.UpSampling1D(2),
        L.GlobalMaxPooling1D(),
    )


@case
def convolutions_3d() -> Made:
    return sequential(
        numbers(2, 6, 6, 6, 2),
        L.Conv3D(3, 2),
        L.Conv3DTranspose(2, 2),
        L.AveragePooling3D(2),
        L.UpSampling3D(2),
        L.ZeroPadding3D(1),
        L.Cropping3D(1),
        L.MaxPooling3D(2),
        L.GlobalAveragePooling3D(keepdims=True),
    )


@case
def pooling() -> Made:
    x = keras.Input((8, 8, 2))
    outputs = [
        L.Flatten()(layer(x))
        for layer in (
            L.AveragePooling2D(4), L.GlobalMaxPooling2D(), L.AdaptiveAveragePooling2D(2),
            L.AdaptiveMaxPooling2D((2, 4)),
        )
    ]  # fmt: skip
    return compiled(keras.Model(x, L.Concatenate()(outputs))), images(8, 2), numbers(4, 34)


@case
def pooling_1d_3d() -> Made:
    x, y = keras.Input((8, 2)), keras.Input((4, 4, 4, 2))
    outputs = [
        L.Flatten()(layer(x))
        for layer in (
            L.AdaptiveAveragePooling1D(2),
            L.AdaptiveMaxPooling1D(4),
            L.GlobalAveragePooling1D(),
        )
    ]
    outputs += [
        L.Flatten()(layer(y))
        for layer in (
            L.AdaptiveAveragePooling3D(2),
            L.AdaptiveMaxPooling3D(2),
            L.GlobalMaxPooling3D(),
        )
    ]
    model = compiled(keras.Model([x, y], L.Concatenate()(outputs)))
    return model, [numbers(4, 8, 2), numbers(4, 4, 4, 4, 2)], numbers(4, *model.output_shape[1:])


@everywhere
def reshaping() -> Made:
    return sequential(
        numbers(4, 4, 4, 2),
        L.ZeroPadding2D(((1, 0), (0, 1))),
        L.Cropping2D(1),
        L.UpSampling2D(2, interpolation="bilinear"),
        L.Conv2DTranspose(3, 3, strides=2),
        L.Permute((2, 1, 3)),
        L.Reshape((-1, 3)),
        L.Flatten(),
        L.RepeatVector(2),
        L.Dense(1),
    )


# Normalization and regularization


@everywhere
def normalizations() -> Made:
    return sequential(
        numbers(4, 6, 8),
        L.BatchNormalization(axis=1, scale=False),
        L.LayerNormalization(epsilon=1e-5),
        L.GroupNormalization(groups=4),
        L.RMSNormalization(),
        L.UnitNormalization(axis=-1),
        L.Dense(2),
    )


@case
def spectral_normalization() -> Made:
    return sequential(
        numbers(4, 8, 8, 2), L.SpectralNormalization(L.Conv2D(3, 3), power_iterations=2)
    )


@everywhere
def dropouts() -> Made:
    return sequential(
        numbers(8, 6),
        L.Dropout(0.3),
        L.GaussianDropout(0.2, seed=5),
        L.GaussianNoise(0.1),
        L.AlphaDropout(0.1),
        L.Dense(2),
    )


@case
def spatial_dropouts() -> Made:
    return sequential(
        numbers(2, 4, 4, 4, 2),
        L.SpatialDropout3D(0.3),
        L.Reshape((16, 4, 2)),
        L.SpatialDropout2D(0.3),
        L.Reshape((16, 8)),
        L.SpatialDropout1D(0.3, seed=2),
        L.Dense(1),
    )


# Merging, graphs


@everywhere
def merging() -> Made:
    x, y = keras.Input((4,)), keras.Input((4,))
    a, b = L.Dense(4)(x), L.Dense(4)(y)
    parts = [
        layer([a, b])
        for layer in (
            L.Add(), L.Average(), L.Maximum(), L.Minimum(), L.Multiply(), L.Subtract(),
            L.Concatenate(axis=1), L.Dot(axes=1, normalize=True),
        )
    ]  # fmt: skip
    model = keras.Model([x, y], L.Concatenate()(parts))
    return compiled(model), [numbers(6, 4), numbers(6, 4)], numbers(6, *model.output_shape[1:])


@everywhere
def shared_layers() -> Made:
    x, y = keras.Input((5,), name="left"), keras.Input((5,), name="right")
    shared = L.Dense(4, name="shared")
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, activation="relu"), L.Dropout(0.2)])
    a, b = inner(shared(x)), inner(shared(y))
    model = keras.Model({"left": x, "right": y}, [L.Dense(1)(a), L.Dense(2)(a - b)])
    compiled(
        model, loss=["mse", "mae"], metrics=[["mae"], ["mse", "mape"]], loss_weights=[1.0, 0.5]
    )
    return (
        model,
        {"left": numbers(6, 5), "right": numbers(6, 5)},
        [numbers(6, 1), numbers(6, 2)],
    )


@everywhere
def nested_models() -> Made:
    inner_input = keras.Input((6,))
    inner = keras.Model(inner_input, L.Dense(3)(L.BatchNormalization()(inner_input)), name="inner")
    outer = keras.Sequential([keras.Input((4, 6)), L.TimeDistributed(inner), L.Flatten()])
    x = keras.Input((4, 6))
    return compiled(keras.Model(x, L.Dense(1)(outer(x)))), numbers(5, 4, 6), numbers(5, 1)


@everywhere
def operations() -> Made:
    x = keras.Input((4, 6))
    h = x[:, 1:, ::2] + 1.0
    h = ops.concatenate([h, -h], axis=-1) * ops.mean(x, axis=[1, 2], keepdims=True)
    h = ops.where(h > 0.1, ops.tanh(h), ops.exp(-ops.abs(h)))
    h = ops.einsum("abc,abd->acd", h, h) / 3.0
    h = ops.reshape(h, (-1, 36))
    h = ops.clip(ops.softmax(h), 0.001, 0.5)
    h = ops.cast(ops.cast(h, "float16"), "float32")
    return compiled(keras.Model(x, L.Dense(2)(h))), numbers(5, 4, 6), numbers(5, 2)


@case
def more_operations() -> Made:
    x = keras.Input((8, 8, 2))
    h = ops.max_pool(ops.image.resize(x, (6, 6)), 2)
    h = ops.pad(ops.transpose(h, (0, 2, 1, 3)), [[0, 0], [1, 1], [0, 0], [0, 0]])
    h = ops.swapaxes(ops.expand_dims(ops.sum(h, axis=-1), 1), 1, 2)
    h = ops.squeeze(ops.stack([h, ops.sqrt(ops.abs(h) + 1)], axis=-1), axis=2)
    h = ops.one_hot(ops.argmax(h, axis=-1), 2) + ops.logsumexp(h, axis=-1, keepdims=True)
    h = ops.take(ops.cumsum(h, axis=1), [0, 1], axis=1)
    return compiled(keras.Model(x, L.Dense(1)(L.Flatten()(h)))), images(8, 2), numbers(4, 1)


@case
def dictionaries_of_outputs() -> Made:
    x = {"b": keras.Input((3,)), "a": keras.Input((4,))}
    h = L.Concatenate()([x["b"], x["a"]])
    model = keras.Model(x, {"z": L.Dense(1, name="z")(h), "y": L.Dense(2, name="y")(h)})
    compiled(
        model,
        loss={"z": "mse", "y": keras.losses.Huber(0.3)},
        metrics={"z": ["mae"], "y": [keras.metrics.RootMeanSquaredError()]},
    )
    return model, {"b": numbers(6, 3), "a": numbers(6, 4)}, {"z": numbers(6, 1), "y": numbers(6, 2)}


@case
def several_calls_with_arguments() -> Made:
    x = keras.Input((5, 6))
    attention = L.MultiHeadAttention(2, 3, dropout=0.1)
    h = attention(x, x, use_causal_mask=True)
    h = L.Dropout(0.5)(h, training=True)
    h, state = L.GRU(4, return_state=True)(h)
    h = L.GRU(4)(x, initial_state=state)
    return compiled(keras.Model(x, h)), numbers(4, 5, 6), numbers(4, 4)


# Recurrent


@everywhere
def recurrent() -> Made:
    return sequential(
        numbers(4, 5, 3),
        L.LSTM(4, return_sequences=True, dropout=0.2, recurrent_dropout=0.1),
        L.GRU(4, return_sequences=True, reset_after=False),
        L.SimpleRNN(3, seed=4, dropout=0.1),
    )


@everywhere
def bidirectional() -> Made:
    return sequential(
        numbers(4, 5, 3),
        L.Bidirectional(L.LSTM(3, return_sequences=True)),
        L.Bidirectional(L.GRU(2), merge_mode="sum", backward_layer=L.GRU(2, go_backwards=True)),
    )


@everywhere
def cells() -> Made:
    return sequential(
        numbers(4, 5, 3),
        L.RNN([L.LSTMCell(3), L.GRUCell(4), L.SimpleRNNCell(2)], return_sequences=True),
        L.RNN(L.StackedRNNCells([L.LSTMCell(2), L.LSTMCell(3)])),
    )


@case
def stateful_recurrent() -> Made:
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(4, 5, 3)),
            L.LSTM(3, stateful=True, return_sequences=True),
            L.GRU(2, stateful=True),
        ]
    )
    return compiled(model), numbers(4, 5, 3), numbers(4, 2)


@case
def stateful_bidirectional() -> Made:
    model = keras.Sequential(
        [keras.Input(batch_shape=(4, 5, 3)), L.Bidirectional(L.SimpleRNN(2, stateful=True))]
    )
    return compiled(model), numbers(4, 5, 3), numbers(4, 4)


@case
def convolutional_recurrent() -> Made:
    return sequential(
        numbers(2, 3, 6, 6, 2),
        L.ConvLSTM2D(2, 3, return_sequences=True),
        L.TimeDistributed(L.Conv2D(2, 2)),
        L.Reshape((3, -1, 2)),
        L.ConvLSTM1D(2, 3),
    )


@case
def convolutional_recurrent_3d() -> Made:
    return sequential(numbers(2, 2, 4, 4, 4, 1), L.ConvLSTM3D(2, 2, dropout=0.1))


# Attention


@everywhere
def attention() -> Made:
    x, y = keras.Input((5, 6)), keras.Input((4, 6))
    h = L.MultiHeadAttention(2, 3, value_dim=4, dropout=0.2)(x, y)
    h = L.LayerNormalization()(h + x)
    h = L.GroupQueryAttention(3, 4, 2)(h, y)
    h = L.Attention(use_scale=True, dropout=0.1)([h, y])
    h = L.AdditiveAttention()([h, y])
    return compiled(keras.Model([x, y], h)), [numbers(3, 5, 6), numbers(3, 4, 6)], numbers(3, 5, 6)


@everywhere
def transformer() -> Made:
    tokens = keras.Input((6,), dtype="int32")
    places = ops.cumsum(ops.ones_like(tokens), axis=1) - 1
    h = L.Embedding(30, 8)(tokens) + L.Embedding(6, 8)(places)
    for _ in range(2):
        h = L.LayerNormalization()(h + L.MultiHeadAttention(2, 4)(h, h))
        f = L.Dense(16, activation="gelu")(h)
        h = L.LayerNormalization()(h + L.Dropout(0.1)(L.Dense(8)(f)))
    model = keras.Model(tokens, L.Dense(3)(L.GlobalAveragePooling1D()(h)))
    compiled(
        model,
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.01, 10, warmup_steps=2)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model, whole(30, 4, 6), whole(3, 4)


# Preprocessing


@case
def adapted_normalization() -> Made:
    layer = L.Normalization()
    layer.adapt(numbers(20, 4) * 3 + 1)
    return sequential(numbers(4, 4), layer, L.Normalization(mean=0.5, variance=2.0), L.Dense(1))


@case
def discretization() -> Made:
    layer = L.Discretization(num_bins=4, output_mode="one_hot")
    layer.adapt(numbers(50, 1))
    return sequential(numbers(4, 1), layer, L.Dense(1))


@case
def category_encoding() -> Made:
    return sequential(whole(5, 4, 3), L.CategoryEncoding(5, output_mode="count"), L.Dense(1))


def text_model(layer: Any, x: Any, *more: Any, dtype: str = "string") -> Made:
    model = keras.Sequential([keras.Input(x.shape[1:], dtype=dtype), layer, *more])
    compiled(model)
    return model, x, numbers(len(x), *model.output_shape[1:])


def strings(*words: str) -> Any:
    import tensorflow as tf

    return tf.constant([[word] for word in words])


@case
def string_lookup() -> Made:
    layer = L.StringLookup(vocabulary=["a", "b", "c"], output_mode="one_hot", num_oov_indices=2)
    return text_model(layer, strings("a", "c", "x", "y"), L.Dense(1))


@case
def adapted_string_lookup() -> Made:
    layer = L.StringLookup(output_mode="multi_hot")
    layer.adapt(strings("a", "b", "b", "ü\n", "a b"))
    return text_model(layer, strings("a", "b", "ü\n", "x"), L.Dense(1))


@case
def inverted_lookup() -> Made:
    layer = L.IntegerLookup(vocabulary=[10, 20, 30], mask_token=0)
    return sequential(whole(40, 4, 3).astype("int64"), layer, L.Embedding(6, 2))


@case
def adapted_integer_lookup() -> Made:
    layer = L.IntegerLookup(output_mode="tf_idf")
    layer.adapt(whole(6, 30, 3).astype("int64"))
    return sequential(whole(8, 4, 3).astype("int64"), layer, L.Dense(1))


@case
def text_vectorization() -> Made:
    layer = L.TextVectorization(output_sequence_length=5, ngrams=2)
    layer.adapt(strings("the cat sat", "the dog", "A cat!"))
    return text_model(layer, strings("the cat", "dog sat", "x", "y z"), L.Embedding(30, 2))


@case
def text_vectorization_tf_idf() -> Made:
    layer = L.TextVectorization(output_mode="tf_idf", max_tokens=10, pad_to_max_tokens=True)
    layer.adapt(strings("the cat sat", "the dog", "A cat!"))
    return text_model(layer, strings("the cat", "dog sat", "x", "y z"), L.Dense(2))


@case
def hashing() -> Made:
    layer = L.Hashing(8, salt=[1, 2])
    return text_model(layer, strings("a", "b", "c", "d"), L.Embedding(8, 3))


@case
def hashed_crossing() -> Made:
    a, b = keras.Input((1,), dtype="string"), keras.Input((1,), dtype="int64")
    h = L.HashedCrossing(6, output_mode="one_hot")((a, b))
    model = compiled(keras.Model([a, b], L.Dense(1)(h)))
    import tensorflow as tf

    codes = tf.constant(whole(3, 4, 1).astype("int64"))
    return model, [strings("a", "b", "c", "d"), codes], numbers(4, 1)


@case
def spectrograms() -> Made:
    x = keras.Input((256,))
    h = L.MelSpectrogram(fft_length=64, sequence_stride=32, num_mel_bins=8, sampling_rate=800)(x)
    g = L.STFTSpectrogram(mode="log", frame_length=32, frame_step=16)(L.Reshape((256, 1))(x))
    model = keras.Model(x, [L.Dense(1)(h), L.Dense(1)(g)])
    compiled(model, loss=["mse", "mse"])
    return model, numbers(2, 256), [numbers(2, *s[1:]) for s in model.output_shape]


@case
def augmentation() -> Made:
    return sequential(
        images(8),
        L.RandomFlip(seed=1),
        L.RandomRotation(0.2),
        L.RandomZoom(0.2, 0.1),
        L.RandomTranslation(0.1, (0.0, 0.2), fill_mode="wrap"),
        L.RandomContrast(0.2),
        L.RandomBrightness(0.2),
        L.RandomCrop(6, 6),
        L.CenterCrop(4, 4),
        L.Resizing(5, 5, interpolation="nearest"),
        L.Rescaling(1 / 255),
        L.Flatten(),
        L.Dense(1),
    )


@case
def color_augmentation() -> Made:
    return sequential(
        images(8),
        L.RandomHue(0.2, [0, 255]),
        L.RandomSaturation(0.3),
        L.RandomColorJitter([0, 255], 0.1, 0.2, 0.1, 0.2),
        L.RandomColorDegeneration(0.3),
        L.RandomGrayscale(0.5, seed=3),
        L.RandomPosterization(4),
        L.RandomSharpness(0.3),
        L.RandomInvert(0.5),
        L.Solarization(0.2, 0.3),
        L.AutoContrast(),
        L.Flatten(),
        L.Dense(1),
    )


@case
def more_augmentation() -> Made:
    return sequential(
        images(8),
        L.RandomShear(0.2, 0.1),
        L.RandomPerspective(0.3),
        L.RandomErasing(0.5),
        L.RandomGaussianBlur(0.5, kernel_size=3),
        L.RandomElasticTransform(0.5),
        L.AugMix(),
        L.RandAugment(),
        L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2)),
        L.Flatten(),
        L.Dense(1),
    )


@case
def pipelines() -> Made:
    return sequential(
        images(8), L.Pipeline([L.RandomFlip(), L.Rescaling(0.01)]), L.Flatten(), L.Dense(1)
    )


@case
def mix_up() -> Made:
    return L.MixUp(0.3), {"images": images(), "labels": numbers(4, 2)}, None


@case
def cut_mix() -> Made:
    return L.CutMix(0.7), {"images": images(), "labels": numbers(4, 2)}, None


@case
def equalization() -> Made:
    return L.Equalization(bins=64), images(), None


@case
def bounding_boxes() -> Made:
    layer = L.MaxNumBoundingBoxes(3, fill_value=-2, bounding_box_format="xyxy")
    boxes = {"boxes": numbers(4, 2, 4), "labels": whole(3, 4, 2)}
    return layer, {"images": images(), "labels": numbers(4, 2), "bounding_boxes": boxes}, None


@case
def feature_space() -> Made:
    import tensorflow as tf

    F = keras.utils.FeatureSpace
    space = F(
        {
            "number": F.float_normalized(),
            "plain": "float",
            "word": F.string_categorical(num_oov_indices=1),
            "code": "integer_categorical",
            "bins": F.float_discretized(num_bins=3),
        },
        crosses=[("word", "code")],
        crossing_dim=8,
    )
    data = {
        "number": numbers(6), "plain": numbers(6), "bins": numbers(6),
        "word": tf.constant(["a", "b", "a", "c", "b", "a"]), "code": whole(4, 6).astype("int64"),
    }  # fmt: skip
    space.adapt(tf.data.Dataset.from_tensor_slices(data))
    encoded = space.get_encoded_features()
    model = keras.Model(space.get_inputs(), L.Dense(1)(encoded))
    x = {key: tf.reshape(tf.constant(value), (-1, 1)) for key, value in data.items()}
    return compiled(model), x, numbers(6, 1)


# Own code


@keras.saving.register_keras_serializable("tests")
class OwnLayer(L.Layer):
    def __init__(self, units: int, **more: Any) -> None:
        super().__init__(**more)
        self.units = units

    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(shape[-1], self.units), name="w")
        self.counter = self.add_weight(shape=(), name="counter", trainable=False)
        self.built = True

    def call(self, x: Any) -> Any:
        self.counter.assign_add(1.0)
        return ops.matmul(x, self.w)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tests")
def own_activation(x: Any) -> Any:
    return ops.tanh(x) * 2


@keras.saving.register_keras_serializable("tests")
class OwnModel(keras.Model):
    def __init__(self, width: int, frozen: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.width, self.frozen = width, frozen
        self.first = L.Dense(width, activation="relu")
        self.blocks = [L.Dense(width) for _ in range(2)]
        self.by_name = {"b": L.BatchNormalization(), "a": L.Dropout(0.2)}
        self.seen = keras.metrics.Mean(name="seen")
        self.last = L.Dense(1)

    def call(self, x: Any, training: bool = False) -> Any:
        h = self.first(x)
        for block in self.blocks:
            h = h + block(h)
        h = self.by_name["a"](self.by_name["b"](h, training=training), training=training)
        return self.last(h)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "frozen": self.frozen}


@keras.saving.register_keras_serializable("tests")
class OwnSteps(OwnModel):
    """A model that trains itself: a tracker of its own, no compiled loss."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**{"width": 3, **more})
        self.tracker = keras.metrics.Mean(name="own_loss")

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        loss = ops.mean(ops.square(ops.convert_to_tensor(y) - y_pred))
        self.tracker.update_state(loss)
        return loss


ALLOW = [
    "tests>OwnLayer", "tests>own_activation", "tests>OwnModel", "tests>OwnSteps",
    "tests>OwnFunctional",
]  # fmt: skip


@everywhere
def own_layer() -> Made:
    return sequential(numbers(4, 5), OwnLayer(4), L.Dense(2, activation=own_activation))


@everywhere
def own_model() -> Made:
    model = compiled(OwnModel(4), metrics=["mae"])
    x = numbers(6, 5)
    model(x)
    model.seen.update_state(3.0)
    return model, x, numbers(6, 1)


@case
def own_model_with_frozen_part() -> Made:
    model = OwnModel(4)
    x = numbers(6, 5)
    model(x)
    model.first.trainable = False
    model.blocks[1].bias.trainable = False
    return compiled(model, "sgd"), x, numbers(6, 1)


@everywhere
def own_training_step() -> Made:
    model = OwnSteps()
    x = numbers(6, 5)
    model(x)
    model.compile("rmsprop", run_eagerly=True)
    return model, x, numbers(6, 1)


@keras.saving.register_keras_serializable("tests")
class OwnFunctional(keras.Model):
    """A functional model of a class of its own, as keras.Model(inputs, outputs) makes."""


@case
def own_functional() -> Made:
    x = keras.Input((5,))
    model = OwnFunctional(x, L.Dense(1)(L.Dense(3)(x)))
    return compiled(model), numbers(6, 5), numbers(6, 1)


# Training


def with_optimizer(optimizer: Any) -> Made:
    return sequential(numbers(8, 5), L.Dense(6, activation="relu"), L.Dense(2), optimizer=optimizer)


_O = keras.optimizers
_S = keras.optimizers.schedules
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adadelta": lambda: _O.Adadelta(0.5),
    "adafactor": lambda: _O.Adafactor(0.01),
    "adagrad": lambda: _O.Adagrad(0.1),
    "adam": lambda: _O.Adam(amsgrad=True, clipnorm=0.5),
    "adamw": lambda: _O.AdamW(weight_decay=0.1, use_ema=True, ema_overwrite_frequency=2),
    "adamax": lambda: _O.Adamax(global_clipnorm=1.0),
    "ftrl": lambda: _O.Ftrl(0.1, l1_regularization_strength=0.01),
    "lamb": lambda: _O.Lamb(0.01),
    "lion": lambda: _O.Lion(0.01),
    "loss_scale": lambda: _O.LossScaleOptimizer(_O.Adam(), initial_scale=4.0, dynamic_growth_steps=2),
    "muon": lambda: _O.Muon(0.01, exclude_layers=["dense_1"]),
    "nadam": lambda: _O.Nadam(),
    "rmsprop": lambda: _O.RMSprop(momentum=0.9, centered=True),
    "schedule_free": lambda: _O.ScheduleFreeAdamW(0.01, warmup_steps=3),
    "sgd": lambda: _O.SGD(0.1, momentum=0.9, nesterov=True, clipvalue=0.5),
    "accumulating": lambda: _O.Adam(gradient_accumulation_steps=2),
}  # fmt: skip
SCHEDULES: dict[str, Callable[[], Any]] = {
    "cosine": lambda: _S.CosineDecay(0.1, 10, alpha=0.1, warmup_target=0.2, warmup_steps=3),
    "restarts": lambda: _S.CosineDecayRestarts(0.1, 3),
    "exponential": lambda: _S.ExponentialDecay(0.1, 5, 0.9, staircase=True),
    "inverse": lambda: _S.InverseTimeDecay(0.1, 5, 0.5),
    "piecewise": lambda: _S.PiecewiseConstantDecay([1, 3], [0.1, 0.05, 0.01]),
    "polynomial": lambda: _S.PolynomialDecay(0.1, 10, power=2.0, cycle=True),
}
for _name, _make in OPTIMIZERS.items():
    CASES[f"optimizer_{_name}"] = lambda make=_make: with_optimizer(make())
for _name, _make in SCHEDULES.items():
    CASES[f"schedule_{_name}"] = lambda make=_make: with_optimizer(_O.SGD(make()))
THIRD |= {f"optimizer_{name}" for name in ("adamw", "sgd", "nadam", "loss_scale", "accumulating")}
THIRD.add("schedule_cosine")


@case
def several_optimizers() -> Made:
    model, x, y = with_optimizer("sgd")
    inner = _O.OptimizerMap(_O.SGD(0.1), {".*kernel": _O.Adam(0.01)})
    return compiled(model, _O.MultiOptimizer(inner)), x, y


def with_loss(loss: Any, y: Any, units: int = 3, activation: str = "softmax") -> Made:
    x = numbers(len(y), 5)
    model = keras.Sequential([keras.Input((5,)), L.Dense(units, activation=activation)])
    return compiled(model, loss=loss), x, y


_LO = keras.losses
_ONE_HOT = np.eye(3, dtype="float32")[[0, 1, 2, 1, 0, 2]]
_SIGNS = np.array([[1, -1, 1]] * 6, "float32")
LOSSES: dict[str, Callable[[], Made]] = {
    "huber": lambda: with_loss(_LO.Huber(0.3), numbers(6, 3)),
    "cosine": lambda: with_loss(_LO.CosineSimilarity(axis=0), numbers(6, 3)),
    "focal": lambda: with_loss(_LO.CategoricalFocalCrossentropy(gamma=1.5), _ONE_HOT),
    "binary_focal": lambda: with_loss(_LO.BinaryFocalCrossentropy(True, 0.4), _ONE_HOT),
    "sparse": lambda: with_loss(_LO.SparseCategoricalCrossentropy(ignore_class=1), whole(3, 6)),
    "tversky": lambda: with_loss(_LO.Tversky(0.4, 0.7), _ONE_HOT),
    "dice": lambda: with_loss(_LO.Dice(axis=1), _ONE_HOT),
    "generalized": lambda: with_loss(_LO.CategoricalGeneralizedCrossEntropy(0.7), whole(3, 6)),
    "circle": lambda: with_loss(_LO.Circle(gamma=60), whole(3, 6), activation="tanh"),
    "hinge": lambda: with_loss(_LO.CategoricalHinge(), _ONE_HOT),
    "squared_hinge": lambda: with_loss("squared_hinge", _SIGNS),
    "plain_hinge": lambda: with_loss(_LO.Hinge(reduction="sum"), _SIGNS),
    "poisson": lambda: with_loss(_LO.Poisson(), np.abs(numbers(6, 3))),
    "kl": lambda: with_loss(_LO.KLDivergence(), _ONE_HOT),
    "log_cosh": lambda: with_loss(_LO.LogCosh(), numbers(6, 3)),
    "mape": lambda: with_loss(_LO.MeanAbsolutePercentageError(), numbers(6, 3)),
    "msle": lambda: with_loss(_LO.MeanSquaredLogarithmicError(), np.abs(numbers(6, 3))),
    "mae": lambda: with_loss(_LO.MeanAbsoluteError(dtype="float64"), numbers(6, 3)),
    "mse_class": lambda: with_loss(_LO.MeanSquaredError(reduction="mean"), numbers(6, 3)),
    "smoothed": lambda: with_loss(_LO.CategoricalCrossentropy(label_smoothing=0.1), _ONE_HOT),
    "binary": lambda: with_loss(_LO.BinaryCrossentropy(from_logits=True), _ONE_HOT),
    "crossentropy": lambda: with_loss("crossentropy", _ONE_HOT),
    "function": lambda: with_loss(keras.losses.log_cosh, numbers(6, 3)),
    "ctc": lambda: (
        compiled(keras.Sequential([keras.Input((6, 4)), L.Dense(5, activation="softmax")]), loss=_LO.CTC()),
        numbers(3, 6, 4),
        whole(3, 3, 3) + 1,
    ),
}  # fmt: skip
for _name, _case in LOSSES.items():
    CASES[f"loss_{_name}"] = _case
THIRD |= {"loss_huber", "loss_sparse", "loss_crossentropy"}


@everywhere
def regression_metrics() -> Made:
    M = keras.metrics
    return sequential(
        numbers(6, 4),
        L.Dense(3, activation="sigmoid"),
        metrics=[
            "mae", M.MeanSquaredError(), M.RootMeanSquaredError(), M.CosineSimilarity(axis=0),
            M.LogCoshError(), M.R2Score(), M.PearsonCorrelation(), M.ConcordanceCorrelation(),
            M.MeanAbsolutePercentageError(), M.MeanSquaredLogarithmicError(), M.MeanAbsoluteError(),
            M.KLDivergence(), M.Poisson(), M.Hinge(), M.SquaredHinge(), keras.metrics.mean_squared_error,
        ],
        weighted_metrics=["mse"],
    )  # fmt: skip


@everywhere
def classification_metrics() -> Made:
    M = keras.metrics
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="softmax")])
    compiled(
        model,
        loss="categorical_crossentropy",
        metrics=[
            "accuracy", "acc", M.AUC(num_thresholds=20, curve="PR"), M.AUC(multi_label=True, num_labels=3),
            M.Precision(), M.Recall(thresholds=[0.2, 0.6]), M.F1Score(average="macro"), M.FBetaScore(beta=2.0),
            M.TruePositives(), M.TrueNegatives(), M.FalsePositives(), M.FalseNegatives(),
            M.PrecisionAtRecall(0.5), M.RecallAtPrecision(0.5), M.SensitivityAtSpecificity(0.5),
            M.SpecificityAtSensitivity(0.5), M.TopKCategoricalAccuracy(k=2), M.CategoricalCrossentropy(),
            M.CategoricalHinge(), M.OneHotIoU(3, [0, 1]), M.OneHotMeanIoU(3), M.BinaryIoU(), M.BinaryAccuracy(),
            M.BinaryCrossentropy(), M.CategoricalAccuracy(),
        ],
    )  # fmt: skip
    return model, numbers(6, 4), _ONE_HOT


@case
def sparse_metrics() -> Made:
    M = keras.metrics
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="softmax")])
    compiled(
        model,
        loss="sparse_categorical_crossentropy",
        metrics=[
            "accuracy", M.SparseCategoricalAccuracy(), M.SparseTopKCategoricalAccuracy(k=2),
            M.SparseCategoricalCrossentropy(), M.MeanIoU(3, sparse_y_pred=False), M.IoU(3, [1], sparse_y_pred=False),
        ],
    )  # fmt: skip
    return model, numbers(6, 4), whole(3, 6)


@case
def plain_metrics() -> Made:
    M = keras.metrics
    return sequential(
        numbers(6, 4),
        L.Dense(1),
        metrics=[M.Accuracy(), M.MeanMetricWrapper(keras.losses.huber, name="h")],
    )


@everywhere
def frozen_base() -> Made:
    base = keras.Sequential([keras.Input((5,)), L.Dense(4), L.BatchNormalization()], name="base")
    base.trainable = False
    x = keras.Input((5,))
    return (
        compiled(keras.Model(x, L.Dense(1)(base(x, training=False)))),
        numbers(6, 5),
        numbers(6, 1),
    )


@case
def frozen_after_compiling() -> Made:
    model, x, y = with_optimizer("adam")
    model.train_on_batch(x, y)
    model.layers[0].trainable = False
    return model, x, y


@everywhere
def not_compiled() -> Made:
    model = keras.Sequential([keras.Input((5,)), L.Dense(3), L.Dropout(0.5)])
    return model, numbers(4, 5), None


@case
def built_later() -> Made:
    model = keras.Sequential([L.Dense(3), L.Dense(1)])
    model.compile("adam", "mse", run_eagerly=True)
    x, y = numbers(4, 5), numbers(4, 1)
    model.train_on_batch(x, y)
    return model, x, y


@case
def bare_layer() -> Made:
    layer = L.MultiHeadAttention(2, 3)
    x = numbers(2, 4, 6)
    layer(x, x)
    return layer, x, None


# Precision, adapters, quantization


@everywhere
def mixed_precision() -> Made:
    policy = keras.DTypePolicy("mixed_bfloat16")
    return sequential(
        numbers(8, 5),
        L.Dense(6, dtype=policy),
        L.BatchNormalization(dtype=policy),
        L.Dense(2, dtype="float32"),
    )


@case
def mixed_float16() -> Made:
    return sequential(
        numbers(8, 5), L.Dense(6, dtype="mixed_float16"), L.Dense(2, dtype="float32"),
        optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
    )  # fmt: skip


@everywhere
def double_precision() -> Made:
    return sequential(numbers(8, 5), L.Dense(6, dtype="float64"), L.Dense(2, dtype="bfloat16"))


@case
def policy_map() -> Made:
    policies = keras.dtype_policies.DTypePolicyMap(
        default_policy="float32", policy_map={"own/inner": keras.DTypePolicy("bfloat16")}
    )
    x = keras.Input((4, 6))
    h = L.MultiHeadAttention(2, 3, dtype=policies)(x, x)
    return compiled(keras.Model(x, h)), numbers(3, 4, 6), numbers(3, 4, 6)


@everywhere
def lora() -> Made:
    model, x, y = sequential(numbers(8, 6), L.Dense(5), L.Dense(2))
    model.layers[0].enable_lora(2)
    model.layers[1].enable_lora(3, lora_alpha=6)
    return compiled(model), x, y


@case
def lora_embedding() -> Made:
    model, x, y = sequential(whole(9, 4, 3), L.Embedding(9, 4), L.Flatten(), L.Dense(1))
    model.layers[0].enable_lora(2)
    return compiled(model), x, y


def quantized(mode: str, *, lora: bool = False) -> Made:
    model = keras.Sequential(
        [
            keras.Input((4, 6)),
            L.Dense(8, activation="relu"),
            L.EinsumDense("abc,cd->abd", output_shape=(None, 4), bias_axes="d"),
        ]
    )
    model.quantize(mode)
    if lora:
        model.layers[0].enable_lora(2)
        compiled(model)
        return model, numbers(3, 4, 6), numbers(3, 4, 4)
    return model, numbers(3, 4, 6), None


@everywhere
def quantized_int8() -> Made:
    return quantized("int8")


@case
def quantized_int4() -> Made:
    return quantized("int4")


@case
def quantized_float8() -> Made:
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="relu"), L.Dense(4)])
    model.quantize("float8")
    model.compile("adam", "mse")  # it has no gradient outside of a graph
    return model, numbers(3, 6), numbers(3, 4)


@case
def quantized_with_lora() -> Made:
    return quantized("int8", lora=True)


@case
def quantized_embedding() -> Made:
    model = keras.Sequential([keras.Input((3,), dtype="int32"), L.Embedding(9, 4)])
    model.quantize("int8")
    return model, whole(9, 4, 3), None
