"""A module with something of everything that a program can have, and archives of it.

Hostile signers (tensorflow_attacks.py) change what is in them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from safemodel.adapters.protocol import Saved
from safemodel.adapters.tensorflow import adapter
from safemodel.bundle.contents import Contents
from safemodel.bundle.write import write
from safemodel.errors import SafemodelError
from safemodel.format import canonical_json
from safemodel.format import metadata as metadata_format
from safemodel.format.manifest import Adapter


class Rich(tf.Module):
    """Something of everything that a program can have."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(tf.reshape(tf.range(16.0), [4, 4]) * 0.1, name="w")
        self.count = tf.Variable(0, dtype=tf.int64, trainable=False, name="count")
        self.words = tf.Variable([b"a", b"b"], trainable=False)
        self.large = tf.constant(np.ones((4, 300), "float32"))

    def __call__(self, x: Any, more: Any, *, flag: bool = True) -> Any:
        self.count.assign_add(1)
        y = tf.nn.relu(x @ self.w) + more["y"][0]
        y = tf.cond(tf.reduce_sum(y) > 0, lambda: tf.sin(y) @ self.w, lambda: tf.cos(y))
        _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 0.5), (0, y))
        rows = tf.TensorArray(tf.float32, 2, element_shape=[None]).unstack(y[:2])
        noise = tf.random.stateless_normal([4], [1, 2])
        text = tf.strings.join([self.words, tf.constant(b"\xff")], separator="-")
        picked = tf.cast(tf.gather(y, [0, 2], axis=1), tf.float64)
        return {
            "a": [y @ self.large, rows.stack()],
            "b": (picked, None, noise * (2.0 if flag else 1.0)),
            "c": {"text": text, "n": self.count.read_value()},
        }

    def encode(self, x: Any) -> Any:
        values, places = tf.math.top_k(x @ self.w, 2)
        return tf.pad(values, [[0, 0], [1, 1]], constant_values=-np.inf), places


X = tf.TensorSpec([None, 4], tf.float32)
EXAMPLES = {
    "__call__": ((X, {"y": [tf.TensorSpec([None, 1], tf.float32)]}), {"flag": True}),
    "encode": ((X,), {}),
}


def use(module: Any) -> None:
    """All that one does with a loaded module."""
    x = tf.ones([3, 4])
    with tf.GradientTape() as tape:
        found = [
            module.entry("__call__")(x, {"y": [tf.ones([3, 1])]}, flag=True),
            module.entry("encode")(x),
        ]
        leaves = [leaf for leaf in tf.nest.flatten(found) if isinstance(leaf, tf.Tensor)]
        floats = [leaf for leaf in leaves if leaf.dtype.is_floating and tf.size(leaf) < 1 << 20]
        total = tf.add_n([tf.reduce_sum(tf.cast(leaf, tf.float32)) for leaf in floats])
    tape.gradient(total, module.trainable_variables)
    repr(module)
    repr(leaves)


@dataclass(frozen=True)
class Archive:
    """What is in an archive of `Rich`, to make others of it."""

    saved: Saved
    architecture: Any

    @classmethod
    def rich(cls) -> Archive:
        saved = adapter.save(Rich(), example_inputs=EXAMPLES)
        return cls(saved, json.loads(canonical_json.encode(saved.architecture)))

    @property
    def program(self) -> Any:
        return self.architecture["program"]

    def write(self, program: Any, path: Path, signers: Any = ()) -> bool:
        """Write one with another program; whether an archive can have it."""
        architecture = {**self.architecture, "program": program}
        try:
            canonical_json.encode(architecture)
        except (SafemodelError, RecursionError):
            return False
        contents = Contents(
            framework=adapter.FRAMEWORK,
            adapter=Adapter(adapter.NAME, adapter.VERSION),
            libraries=self.saved.libraries,
            architecture=architecture,
            training_state=None,
            metadata=metadata_format.make({}),
            tensors=self.saved.tensors,
        )
        try:
            write(path, contents, signers=signers)
        except SafemodelError:
            return False
        return True
