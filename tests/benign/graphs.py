"""Graphs: Keras and TensorFlow files, ONNX."""

from __future__ import annotations

import os
import pickle
from typing import Any

from .corpus import Corpus, Group


def _keras_models() -> dict[str, Any]:
    import keras
    import numpy as np
    from keras import layers

    def sequential(
        *parts: Any, shape: tuple[int | None, ...] = (8,), dtype: str = "float32"
    ) -> Any:
        return keras.Sequential([layers.Input(shape, dtype=dtype), *parts])

    dense = sequential(
        layers.Dense(4, "relu", kernel_regularizer="l2"), layers.Dropout(0.2), layers.Dense(1)
    )
    dense.compile("adam", "mse", metrics=["mae"])
    dense.fit(np.ones((4, 8)), np.ones(4), verbose=0)
    inputs = keras.Input((8,))
    hidden = layers.Dense(8, "gelu")(inputs)
    merged = layers.Concatenate()([layers.Add()([inputs, hidden]), hidden])
    functional = keras.Model(
        inputs, [layers.Dense(1, name="a")(merged), layers.Dense(2, name="b")(hidden)]
    )
    vectors = layers.TextVectorization(
        max_tokens=20, output_sequence_length=4, vocabulary=["cat", "dog"]
    )
    words = layers.StringLookup(vocabulary=["a", "b"])
    query = keras.Input((4, 8))
    attention = layers.MultiHeadAttention(2, 4)(query, query)
    normalization = layers.Normalization()
    normalization.adapt(np.ones((4, 8)))
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    scheduled = sequential(layers.Dense(2, "softmax"))
    scheduled.compile(
        keras.optimizers.SGD(schedule, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    convolution = sequential(
        layers.Rescaling(1 / 255),
        layers.RandomFlip(),
        layers.Conv2D(4, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.DepthwiseConv2D(3),
        layers.MaxPooling2D(),
        layers.GlobalAveragePooling2D(),
        layers.Flatten(),
        layers.Dense(3, "softmax"),
        shape=(16, 16, 3),
    )
    return {
        "dense": dense,
        "functional": functional,
        "convolution": convolution,
        "series": sequential(layers.Conv1D(2, 3), layers.GRU(3), shape=(9, 2)),
        "recurrent": sequential(
            layers.Embedding(20, 4, mask_zero=True),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(2)),
            layers.SimpleRNN(2),
            shape=(None,),
            dtype="int32",
        ),
        "attention": keras.Model(query, layers.LayerNormalization()(attention)),
        "text": sequential(vectors, layers.Embedding(20, 4), shape=(1,), dtype="string"),
        "lookup": sequential(words, shape=(1,), dtype="string"),
        "normalization": sequential(normalization, layers.Dense(1)),
        "scheduled": scheduled,
        "nested": sequential(sequential(layers.Dense(3), layers.ELU()), layers.Reshape((3, 1))),
        "activations": sequential(
            layers.LeakyReLU(), layers.PReLU(), layers.Softmax(), layers.Activation("swish"),
            layers.GaussianNoise(0.1), layers.UnitNormalization(), layers.RepeatVector(2),
        ),
        "transposed": sequential(
            layers.Conv2DTranspose(2, 2), layers.UpSampling2D(), layers.ZeroPadding2D(),
            layers.Cropping2D(), layers.SeparableConv2D(2, 2), layers.Permute((2, 1, 3)),
            shape=(6, 6, 1),
        ),
    }  # fmt: skip


def keras_files(corpus: Corpus) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    import keras
    import tensorflow as tf

    models = _keras_models()
    for name, model in models.items():
        corpus.add(f"{name}.keras", model.save, "keras_zip")
        corpus.add(f"{name}.h5", model.save, "hdf5")
        corpus.add(f"{name}.weights.h5", model.save_weights, "hdf5")
    corpus.add("config.json", models["dense"].to_json().encode(), "")
    for name in ("dense", "scheduled"):
        corpus.add(f"{name}.pkl", pickle.dumps(models[name]), "pickle")
    two = {"models": [models["dense"], models["scheduled"]], "best": 1}
    corpus.add("two.pkl", pickle.dumps(two), "keras_zip")
    optimizers = [keras.optimizers.Adam(), keras.optimizers.SGD(0.1)]
    corpus.add("optimizers.pkl", pickle.dumps(optimizers, 4), "keras_zip")
    for name in ("dense", "functional", "convolution", "attention", "text", "recurrent"):
        corpus.add(
            f"{name}-export", lambda p, m=models[name]: m.export(p, verbose=False), "saved_model"
        )

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(tf.ones((3, 2)))
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2]), 0
            )

        @tf.function(input_signature=[tf.TensorSpec([None, 3])])  # type: ignore[misc]
        def __call__(self, values: Any) -> Any:
            if tf.reduce_sum(values) > 0:
                return values @ self.weight
            return tf.zeros_like(values @ self.weight)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[misc]
        def look_up(self, words: Any) -> Any:
            return self.table.lookup(tf.strings.lower(words))

    module = Module()
    corpus.add("module", lambda p: tf.saved_model.save(module, p), "saved_model")
    weights = tf.train.Checkpoint(model=models["dense"], module=module)
    corpus.add("checkpoint", lambda p: weights.write(os.path.join(p, "ckpt")), "")
    graph = module.__call__.get_concrete_function().graph.as_graph_def()
    corpus.add("frozen.pb", graph.SerializeToString(), "graph_def")
    keras.utils.clear_session()


def onnx_files(corpus: Corpus) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.RandomState(0)
    weights = numpy_helper.from_array(rng.rand(8, 4).astype("f4"), "w")
    value = helper.make_tensor_value_info

    def model(nodes: list[Any], name: str = "g", **options: Any) -> Any:
        graph = helper.make_graph(
            nodes,
            name,
            [value("x", TensorProto.FLOAT, ["n", 8])],
            [value("y", TensorProto.FLOAT, None)],
            options.pop("initializer", [weights]),
        )
        return helper.make_model(graph, **options)

    node = helper.make_node
    dense = model([node("MatMul", ["x", "w"], ["h"]), node("Relu", ["h"], ["y"])])
    branch = [
        helper.make_graph(
            [node(kind, ["h"], ["z"])], kind, [], [value("z", TensorProto.FLOAT, None)]
        )
        for kind in ("Relu", "Sigmoid")
    ]
    conditional = model(
        [
            node("MatMul", ["x", "w"], ["h"]),
            node("ReduceSum", ["h"], ["s"], keepdims=0),
            node("Cast", ["s"], ["c"], to=TensorProto.BOOL),
            node("If", ["c"], ["y"], then_branch=branch[0], else_branch=branch[1]),
        ]
    )
    function = helper.make_function(
        "local",
        "Twice",
        ["a"],
        ["b"],
        [node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 18)],
    )
    functions = model(
        [node("Twice", ["x"], ["y"], domain="local")],
        functions=[function],
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("local", 1)],
    )
    constant = model(
        [
            node("Constant", [], ["c"], value=numpy_helper.from_array(np.ones((8, 2), "f4"))),
            node("Gemm", ["x", "c"], ["y"]),
        ]
    )
    described = model(
        [node("Identity", ["x"], ["y"])], producer_name="someone", doc_string="a model"
    )
    helper.set_model_props(described, {"author": "me", "labels": "['a', 'b']"})
    for name, made in (
        ("dense", dense),
        ("conditional", conditional),
        ("functions", functions),
        ("constant", constant),
        ("described", described),
    ):
        corpus.add(f"{name}.onnx", made.SerializeToString(), "onnx")
    folder = corpus.folder / "external"
    folder.mkdir()
    path = corpus.add("external/model.onnx", lambda p: _external(onnx, dense, p), "onnx")
    (path.parent / "README.md").write_text("# A model with its weights beside it\n")
    _from_sklearn(corpus)


def _external(onnx: Any, model: Any, path: str) -> None:
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)


def _from_sklearn(corpus: Corpus) -> None:
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.RandomState(0)
    x = rng.rand(40, 4).astype("f4")
    y = (x[:, 0] > 0.5).astype(int)
    for made in (
        linear_model.LogisticRegression(),
        linear_model.Ridge(),
        ensemble.RandomForestClassifier(3),
        ensemble.GradientBoostingRegressor(n_estimators=3),
        tree.DecisionTreeClassifier(),
        svm.SVC(),
        neighbors.KNeighborsClassifier(),
        naive_bayes.GaussianNB(),
        neural_network.MLPClassifier((5,), max_iter=5),
    ):
        pipeline = make_pipeline(StandardScaler(), made).fit(x, y)
        corpus.add(
            f"sk-{type(made).__name__}.onnx", to_onnx(pipeline, x[:1]).SerializeToString(), "onnx"
        )


GROUPS = {
    "keras": Group(keras_files, ("keras", "tensorflow"), 52),
    "onnx": Group(onnx_files, ("onnx", "skl2onnx"), 15),
}
