"""Write the models of this folder with Keras 2 (`tf_keras` 2.21), and what they give.

    python make.py [NAME ...]

NAME.h5 is a full model in the legacy format, trained for two steps; NAME.keras, of those in `ZIPPED`,
is the same in the newer format. NAME.npz is what it computes:
`x*` are inputs, `predict*` outputs, `target*` labels, `trained*` the outputs after one more step of
training, `logs` its loss; `slot*` the variables of the optimizer before that step, by name in
`slots`. Models with noise have no `trained`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
import tf_keras as keras

HERE = Path(__file__).resolve().parent
L = keras.layers
O = keras.optimizers
OLD = keras.optimizers.legacy
CASES: dict[str, Callable[[], Any]] = {}
NOISY: set[str] = set()
ZIPPED = {
    "activations", "categories", "convolutions", "first", "frozen_base", "listed_inputs_and_outputs", "loss_scale",
    "lstm", "mixed_precision", "nested_models", "noise", "normalizations", "several_inputs_and_outputs", "stateful",
    "transformer",
}  # fmt: skip
rng = np.random.default_rng(3)


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    CASES[function.__name__] = function
    return function


def noisy(function: Callable[[], Any]) -> Callable[[], Any]:
    NOISY.add(function.__name__)
    return case(function)


def floats(*shape: int) -> Any:
    return rng.normal(size=shape).astype("float32")


def integers(high: int, *shape: int) -> Any:
    return rng.integers(0, high, size=shape).astype("int32")


def one_hot(classes: int, count: int) -> Any:
    return np.eye(classes, dtype="float32")[rng.integers(0, classes, size=count)]


@case
def first() -> Any:
    model = keras.Sequential([L.Dense(8, activation="relu", input_shape=(5,)), L.Dense(1)])
    model.compile("adam", loss="mse", metrics=["mae"])
    return model, floats(6, 5), floats(6, 1)


@case
def first_legacy_adam() -> Any:
    model = keras.Sequential(
        [L.InputLayer(input_shape=(5,)), L.Dense(4, "tanh"), L.Dense(1, activation="sigmoid")]
    )
    model.compile(
        OLD.Adam(1e-2, amsgrad=True),
        "binary_crossentropy",
        ["accuracy", keras.metrics.AUC(num_thresholds=10)],
    )
    return model, floats(6, 5), integers(2, 6, 1)


@case
def convolutions() -> Any:
    model = keras.Sequential(
        [
            L.Conv2D(4, 3, padding="same", activation="relu", input_shape=(8, 8, 3)),
            L.BatchNormalization(),
            L.MaxPooling2D(),
            L.SeparableConv2D(4, 3, depth_multiplier=2),
            L.GlobalAveragePooling2D(),
            L.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        O.SGD(0.05, momentum=0.9, nesterov=True),
        "categorical_crossentropy",
        metrics=["accuracy", "top_k_categorical_accuracy"],
    )
    return model, floats(4, 8, 8, 3), one_hot(3, 4)


@case
def more_convolutions() -> Any:
    x = keras.Input((9, 9, 2))
    y = L.ZeroPadding2D(((1, 0), (0, 1)))(x)
    y = L.DepthwiseConv2D(3, strides=2, depth_multiplier=2, activation="elu")(y)
    y = L.Conv2DTranspose(3, 2, strides=2, output_padding=1, use_bias=False)(y)
    y = L.LeakyReLU(alpha=0.1)(y)
    y = L.UpSampling2D(2, interpolation="bilinear")(y)
    y = L.Cropping2D(2)(y)
    y = L.AveragePooling2D((2, 2), padding="same")(y)
    model = keras.Model(x, L.Dense(1)(L.Flatten()(y)))
    model.compile(O.RMSprop(0.01, momentum=0.5, centered=True), "mae")
    return model, floats(3, 9, 9, 2), floats(3, 1)


@case
def one_and_three_dimensions() -> Any:
    a, b = keras.Input((8, 2), name="a"), keras.Input((4, 4, 4, 1), name="b")
    u = L.Conv1D(3, 3, dilation_rate=2, padding="causal")(a)
    u = L.SeparableConv1D(2, 2)(L.MaxPool1D(2)(L.ZeroPadding1D(1)(u)))
    u = L.Conv1DTranspose(2, 2)(L.DepthwiseConv1D(2)(u))
    v = L.Conv3DTranspose(1, 2)(L.Conv3D(2, 2, activation="selu")(b))
    v = L.UpSampling3D(2)(L.AveragePooling3D(2)(v))
    y = L.Concatenate()([L.GlobalMaxPooling1D()(u), L.GlobalAveragePooling3D(keepdims=False)(v)])
    model = keras.Model([a, b], L.Dense(1)(L.UpSampling1D(2)(L.Reshape((3, 1))(y))))
    model.compile(OLD.SGD(0.01, momentum=0.9), "mse")
    return model, [floats(3, 8, 2), floats(3, 4, 4, 4, 1)], floats(3, 6, 1)


@case
def several_inputs_and_outputs() -> Any:
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    y = L.Concatenate(name="both")([L.Dense(4, "relu")(a), L.Dense(3, "gelu")(b)])
    model = keras.Model(
        {"a": a, "b": b},
        {"p": L.Dense(1, name="p")(y), "q": L.Dense(2, activation="softmax", name="q")(y)},
    )
    model.compile(
        O.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)),
        loss={"p": "mse", "q": keras.losses.SparseCategoricalCrossentropy()},
        loss_weights={"p": 1.0, "q": 0.5},
        metrics={"p": ["mae", "mse"], "q": [keras.metrics.SparseCategoricalAccuracy(name="acc")]},
    )
    return model, {"a": floats(5, 4), "b": floats(5, 3)}, {"p": floats(5, 1), "q": integers(2, 5)}


@case
def listed_inputs_and_outputs() -> Any:
    a, b = keras.Input((4,)), keras.Input((4,))
    y = L.Add()([L.Dense(4)(a), L.Subtract()([a, b])])
    z = L.Dot(axes=1, normalize=True)([a, L.Maximum()([a, b])])
    model = keras.Model([a, b], [L.Dense(1, name="p")(y), L.Activation("tanh", name="z")(z)])
    model.compile(
        O.Adam(0.01, amsgrad=True),
        ["mse", keras.losses.Huber(2.0)],
        loss_weights=[1.0, 0.25],
        metrics=[["mae"], ["mse"]],
    )
    return model, [floats(5, 4), floats(5, 4)], [floats(5, 1), floats(5, 1)]


@case
def shared_layers() -> Any:
    a, b = keras.Input((6,)), keras.Input((6,))
    tower = keras.Sequential([L.Dense(5, "relu"), L.Dense(3)], name="tower")
    one, dense = L.LayerNormalization(), L.Dense(2)
    y = L.Multiply()([one(tower(a)), one(tower(b))])
    model = keras.Model([a, b], dense(y))
    model.compile(OLD.RMSprop(0.01), "mse")
    return model, [floats(4, 6), floats(4, 6)], floats(4, 2)


@case
def nested_models() -> Any:
    i = keras.Input((6, 6, 3))
    h = L.BatchNormalization()(L.Conv2D(4, 3, use_bias=False)(i))
    base = keras.Model(i, [L.GlobalMaxPooling2D()(h), L.Flatten()(h)], name="base")
    x = keras.Input((6, 6, 3))
    p, q = base(x)
    head = keras.Sequential(
        [keras.Input((4,)), keras.Sequential([L.Dense(3), L.Dense(2)]), L.Dense(2)]
    )
    model = keras.Model(x, L.Add()([head(p), L.Dense(2)(q)]))
    model.compile(
        O.Adamax(0.01), keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    )
    return model, floats(4, 6, 6, 3), one_hot(2, 4)


@case
def frozen_base() -> Any:
    base = keras.Sequential([L.Dense(4, input_shape=(5,)), L.BatchNormalization()], name="base")
    base.trainable = False
    model = keras.Sequential([base, L.BatchNormalization(), L.Dense(1, trainable=True)])
    model.compile("adagrad", "logcosh")
    return model, floats(4, 5), floats(4, 1)


@case
def lstm() -> Any:
    model = keras.Sequential(
        [
            L.Embedding(20, 6, mask_zero=True, input_length=7),
            L.LSTM(5, return_sequences=True, implementation=2, dropout=0.0),
            L.LSTM(4, unit_forget_bias=False, recurrent_activation="hard_sigmoid"),
            L.Dense(1),
        ]
    )
    model.compile(OLD.Adagrad(0.05), "mse")
    return model, integers(20, 4, 7), floats(4, 1)


@case
def gru_and_simple() -> Any:
    x = keras.Input((6, 3))
    y = L.GRU(4, return_sequences=True, reset_after=False, implementation=1)(x)
    y, state = L.GRU(4, return_sequences=True, return_state=True)(L.Masking(0.0)(y))
    y = L.SimpleRNN(3, go_backwards=True, unroll=True)(y, initial_state=None)
    model = keras.Model(x, L.Dense(1)(L.Concatenate()([y, state])))
    model.compile(O.Adadelta(0.5), "mse")
    return model, floats(3, 6, 3), floats(3, 1)


@case
def bidirectional() -> Any:
    x = keras.Input((6, 3))
    y = L.Bidirectional(L.LSTM(3, return_sequences=True))(x)
    y = L.Bidirectional(L.GRU(3), merge_mode="sum", backward_layer=L.GRU(3, go_backwards=True))(y)
    model = keras.Model(x, L.Dense(1)(y))
    model.compile(OLD.Adadelta(0.5), "mse")
    return model, floats(3, 6, 3), floats(3, 1)


@case
def encoder_decoder() -> Any:
    a, b = keras.Input((None, 3)), keras.Input((None, 2))
    _, h, c = L.LSTM(4, return_state=True)(a)
    y = L.LSTM(4, return_sequences=True)(b, initial_state=[h, c])
    model = keras.Model([a, b], L.TimeDistributed(L.Dense(2, activation="softmax"))(y))
    model.compile(OLD.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, [floats(3, 5, 3), floats(3, 4, 2)], integers(2, 3, 4)


@case
def cells() -> Any:
    x = keras.Input((5, 3))
    y = L.RNN([L.LSTMCell(3), L.GRUCell(2, reset_after=True)], return_sequences=True)(x)
    y = L.RNN(L.SimpleRNNCell(3))(y)
    model = keras.Model(x, L.Dense(1)(L.RepeatVector(2)(y)))
    model.compile(O.Ftrl(0.1), "mse")
    return model, floats(3, 5, 3), floats(3, 2, 1)


@case
def conv_lstm() -> Any:
    x = keras.Input((3, 5, 5, 1))
    y = L.ConvLSTM2D(2, 3, padding="same", return_sequences=True)(x)
    y = L.TimeDistributed(L.Conv2D(1, 3))(y)
    model = keras.Model(x, L.GlobalAveragePooling3D()(L.Permute((2, 1, 3, 4))(y)))
    model.compile(OLD.Ftrl(0.1), "mse")
    return model, floats(2, 3, 5, 5, 1), floats(2, 1)


@case
def stateful() -> Any:
    model = keras.Sequential([L.LSTM(4, stateful=True, batch_input_shape=(2, 5, 3)), L.Dense(1)])
    model.compile("sgd", "mse")
    return model, floats(2, 5, 3), floats(2, 1)


@case
def transformer() -> Any:
    x = keras.Input((6,), dtype="int32")
    y = L.Embedding(12, 8)(x)
    z = L.MultiHeadAttention(2, 4)(y, y)
    y = L.LayerNormalization(epsilon=1e-6)(L.Add()([y, z]))
    z = L.MultiHeadAttention(2, 3, value_dim=5, use_bias=False)(
        query=y, value=z, use_causal_mask=True
    )
    y = L.LayerNormalization()(y + z)
    z = L.EinsumDense("abc,cd->abd", output_shape=(None, 8), bias_axes="d")(y)
    model = keras.Model(x, L.Dense(3, activation="log_softmax")(L.GlobalAveragePooling1D()(z)))
    model.compile(O.AdamW(0.01, weight_decay=0.004), "kl_divergence")
    return model, integers(12, 3, 6), one_hot(3, 3)


@case
def attention() -> Any:
    q, v = keras.Input((4, 3)), keras.Input((5, 3))
    y = L.Attention(use_scale=True)([q, v])
    z = L.AdditiveAttention()([q, v])
    model = keras.Model([q, v], L.Dense(1)(L.Average()([y, z])))
    model.compile(OLD.Adamax(0.01), "mse")
    return model, [floats(3, 4, 3), floats(3, 5, 3)], floats(3, 4, 1)


@case
def operators() -> Any:
    x, w = keras.Input((6,)), keras.Input((6,))
    y = L.Dense(6)(x) * 2.0 + 1
    y = 1.0 - y / 3.0
    y = tf.nn.relu(y) + tf.sqrt(tf.abs(w))
    y = tf.concat([y[:, 1:4], tf.expand_dims(tf.reduce_mean(w, axis=-1), 1)], axis=-1)
    y = tf.reshape(tf.transpose(tf.stack([y, y], axis=1), perm=[0, 2, 1]), [-1, 8])
    y = -(tf.maximum(y, 0.1) ** 2) + tf.cast(w[:, 0:1] > 0.0, "float32")
    y = tf.clip_by_value(tf.matmul(y, tf.ones((8, 3))), -3.0, 3.0)
    y = tf.math.sigmoid(y) - tf.tanh(y) + tf.exp(-tf.square(y))
    model = keras.Model([x, w], tf.squeeze(L.Dense(1)(y), axis=1))
    model.compile(OLD.Nadam(0.01), "mse")
    return model, [floats(4, 6), floats(4, 6)], floats(4)


@case
def residual_network() -> Any:
    x = keras.Input((8, 8, 3))
    y = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(x)
    for filters in (4, 6):
        z = L.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(y)
        z = L.BatchNormalization(axis=3, epsilon=1.001e-5)(z)
        z = L.ReLU(6.0)(z)
        y = L.add([z, L.Conv2D(filters, 1)(y)])
    y = L.Dense(2, activation="swish")(L.GlobalMaxPooling2D(keepdims=True)(y))
    model = keras.Model(x, L.Softmax(axis=-1)(L.Flatten()(y)))
    model.compile(
        OLD.SGD(0.1, decay=1e-3),
        "categorical_crossentropy",
        metrics=["acc", keras.metrics.Precision(), keras.metrics.Recall(class_id=1)],
    )
    return model, floats(3, 8, 8, 3), one_hot(2, 3)


@case
def activations() -> Any:
    x = keras.Input((4, 6))
    y = L.PReLU(shared_axes=[1])(L.Dense(6, activation="softplus")(x))
    y = L.ELU(0.5)(L.LeakyReLU()(y))
    y = L.ThresholdedReLU(0.2)(L.Dense(6)(y))
    y = L.ReLU(max_value=5, negative_slope=0.1, threshold=0.05)(y)
    y = L.Activation("hard_sigmoid")(L.Dense(6, activation="exponential")(y))
    y = L.Dense(6, "softsign")(y)
    model = keras.Model(x, L.Dense(1, activation="mish")(y))
    model.compile(O.Lion(0.001), "mean_squared_logarithmic_error")
    return model, floats(3, 4, 6), np.abs(floats(3, 4, 1))


@case
def normalizations() -> Any:
    adapted = L.Normalization()
    adapted.adapt(floats(20, 4, 4, 8) * 3 + 1)
    x = keras.Input((4, 4, 8))
    y = L.GroupNormalization(4)(adapted(x))
    y = L.UnitNormalization()(y)
    y = L.Conv2D(3, 2, use_bias=False)(y)
    y = L.LayerNormalization(axis=[1, 2, 3])(y)
    y = L.BatchNormalization(axis=1, scale=False, momentum=0.8)(y)
    model = keras.Model(x, L.Dense(1)(L.Flatten()(y)))
    model.compile(O.Adafactor(0.01), "mse")
    return model, floats(3, 4, 4, 8), floats(3, 1)


@case
def initializers_regularizers_constraints() -> Any:
    I, R, C = keras.initializers, keras.regularizers, keras.constraints
    x = keras.Input((6,))
    y = L.Dense(
        6,
        kernel_initializer=I.VarianceScaling(2.0, "fan_out", "uniform", seed=1),
        kernel_regularizer=R.L1L2(0.1, 0.2),
    )(x)
    y = L.Dense(
        6,
        kernel_initializer=I.Orthogonal(0.5),
        bias_initializer=I.Constant(0.1),
        bias_regularizer=R.l1(0.1),
    )(y)
    y = L.Dense(
        6, kernel_initializer=I.RandomUniform(-1, 1, seed=2), kernel_constraint=C.MaxNorm(2.0)
    )(y)
    y = L.Dense(
        6, kernel_initializer=I.TruncatedNormal(stddev=0.5), kernel_constraint=C.UnitNorm(axis=0)
    )(y)
    y = L.Dense(
        6, kernel_initializer=I.RandomNormal(), kernel_constraint=C.MinMaxNorm(0.1, 2.0, rate=0.5)
    )(y)
    y = L.Dense(
        6,
        kernel_initializer="identity",
        activity_regularizer=R.l2(0.01),
        kernel_regularizer=R.OrthogonalRegularizer(0.01),
    )(y)
    y = L.Dense(
        2, kernel_initializer="lecun_normal", kernel_constraint="non_neg", bias_initializer="ones"
    )(y)
    model = keras.Model(x, L.ActivityRegularization(l1=0.01)(y))
    model.compile(OLD.Adam(0.01, decay=0.1, clipnorm=1.0), keras.losses.CosineSimilarity(axis=-1))
    return model, floats(4, 6), floats(4, 2)


@noisy
def noise() -> Any:
    x = keras.Input((4, 6, 6, 3))
    y = L.TimeDistributed(L.SpatialDropout2D(0.2))(x)
    y = L.SpatialDropout3D(0.1)(L.GaussianNoise(0.1)(L.GaussianDropout(0.2)(y)))
    y = L.Dropout(0.5, seed=3)(L.AlphaDropout(0.1)(L.Dense(2)(y)))
    y = L.Reshape((4, 72))(y)
    y = L.SpatialDropout1D(0.2)(
        L.LSTM(3, dropout=0.2, recurrent_dropout=0.1, return_sequences=True)(y)
    )
    model = keras.Model(x, L.Dense(1)(L.MultiHeadAttention(1, 2, dropout=0.3)(y, y)))
    model.compile("adam", "mse")
    return model, floats(2, 4, 6, 6, 3), floats(2, 4, 1)


@noisy
def images() -> Any:
    model = keras.Sequential(
        [
            L.Resizing(8, 8, input_shape=(9, 7, 3)),
            L.CenterCrop(7, 7),
            L.RandomFlip("horizontal"),
            L.RandomRotation(0.1, seed=4),
            L.RandomZoom(0.1, 0.2),
            L.RandomTranslation(0.1, 0.1),
            L.RandomContrast(0.2),
            L.RandomBrightness(0.2),
            L.Conv2D(2, 3),
            L.Flatten(),
            L.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    return model, np.abs(floats(2, 9, 7, 3)), floats(2, 1)


@case
def categories() -> Any:
    x = keras.Input((3,), dtype="int64")
    a = L.CategoryEncoding(num_tokens=5, output_mode="multi_hot")(x)
    b = L.IntegerLookup(vocabulary=[7, 1, 2], output_mode="count")(x)
    c = L.CategoryEncoding(4, output_mode="count")(L.Discretization([1.0, 3.0])(x))
    d = L.Hashing(4)(x)
    model = keras.Model(x, L.Dense(1)(L.Concatenate()([a, b, c, L.Rescaling(0.5)(d)])))
    model.compile("rmsprop", "mse")
    return model, integers(5, 4, 3).astype("int64"), floats(4, 1)


@case
def mixed_precision() -> Any:
    model = keras.Sequential(
        [L.Dense(4, "relu", input_shape=(5,), dtype="mixed_bfloat16"), L.Dense(1, dtype="float32")]
    )
    model.compile("adam", "mse")
    return model, floats(4, 5), floats(4, 1)


@case
def loss_scale() -> Any:
    model = keras.Sequential([L.Dense(4, input_shape=(5,)), L.Dense(1)])
    model.compile(keras.mixed_precision.LossScaleOptimizer(O.SGD(0.01, momentum=0.5)), "mse")
    return model, floats(4, 5), floats(4, 1)


@case
def many_metrics() -> Any:
    M, S = keras.metrics, keras.losses
    model = keras.Sequential([L.Dense(3, activation="sigmoid", input_shape=(5,))])
    model.compile(
        O.Adam(0.01, use_ema=True, ema_momentum=0.9, global_clipnorm=1.0),
        S.BinaryFocalCrossentropy(gamma=1.5),
        metrics=[
            M.BinaryAccuracy(threshold=0.4), M.CosineSimilarity(), M.MeanSquaredError(), M.RootMeanSquaredError(),
            M.Poisson(), M.Hinge(), M.TruePositives(), M.FalseNegatives(thresholds=[0.2, 0.6]),
            M.PrecisionAtRecall(0.5, num_thresholds=11), M.F1Score("macro"), M.BinaryIoU(), M.KLDivergence(),
            "binary_crossentropy", "mape",
        ],
        weighted_metrics=["mse"],
    )  # fmt: skip
    return model, floats(4, 5), integers(2, 4, 3).astype("float32")


@case
def not_compiled() -> Any:
    return keras.Sequential([L.Dense(3, input_shape=(5,)), L.Dense(2)]), floats(4, 5), None


@noisy
def nadam() -> Any:
    """Keras 2 does not keep the product of its momenta, and multiplies it when it traces."""
    model = keras.Sequential([L.Dense(3, input_shape=(5,)), L.Dense(1)])
    model.compile(O.Nadam(0.01), "mse")
    return model, floats(4, 5), floats(4, 1)


@noisy
def lambda_layer() -> Any:
    model = keras.Sequential([L.Dense(3, input_shape=(5,)), L.Lambda(lambda x: x * 2)])
    return model, floats(4, 5), None


@noisy
def locally_connected() -> Any:
    model = keras.Sequential(
        [L.LocallyConnected1D(2, 3, input_shape=(6, 2)), L.Flatten(), L.Dense(1)]
    )
    return model, floats(4, 6, 2), None


def listed(value: Any) -> list[Any]:
    return [np.asarray(one) for one in tf.nest.flatten(value)]


def write(name: str) -> None:
    global rng
    rng = np.random.default_rng(3)
    keras.utils.set_random_seed(7)
    keras.backend.clear_session()
    model, x, y = CASES[name]()
    if y is not None:
        for _ in range(2):
            model.train_on_batch(x, y)
    found = {f"x{i}": one for i, one in enumerate(listed(x))}
    model.reset_states()
    model.save(HERE / f"{name}.h5")
    if name in ZIPPED:
        model.save(HERE / f"{name}.keras")
    found |= {f"predict{i}": one for i, one in enumerate(listed(model(x, training=False)))}
    if y is not None:
        variables = model.optimizer.variables
        variables = variables() if callable(variables) else variables
        found["slots"] = np.array([one.name for one in variables], "S")
        found |= {f"slot{i}": one.numpy() for i, one in enumerate(variables)}
        found |= {f"target{i}": one for i, one in enumerate(listed(y))}
        if name not in NOISY:
            model.reset_states()
            found["logs"] = np.asarray(model.train_on_batch(x, y, return_dict=True)["loss"])
            model.reset_states()
            found |= {f"trained{i}": one for i, one in enumerate(listed(model(x, training=False)))}
    np.savez_compressed(HERE / f"{name}.npz", **found)


for chosen in sys.argv[1:] or CASES:
    try:
        write(chosen)
        print(chosen, (HERE / f"{chosen}.h5").stat().st_size)
    except Exception as error:
        if "-v" in os.environ.get("MAKE", ""):
            raise
        print(chosen, "FAILED", type(error).__name__, str(error)[:300])
