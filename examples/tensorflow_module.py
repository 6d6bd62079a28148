"""Save a module of TensorFlow with what it computes, load it without its class, and train it on.

python examples/tensorflow_module.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf

import safemodel as sm


class Network(tf.Module):
    """Two layers, and a count of how often it was trained."""

    def __init__(self) -> None:
        super().__init__()
        self.first = tf.Variable(tf.random.normal([8, 64], stddev=0.3), name="first")
        self.second = tf.Variable(tf.random.normal([64, 1], stddev=0.1), name="second")
        self.steps = tf.Variable(0, trainable=False, dtype=tf.int64, name="steps")

    @tf.function(input_signature=[tf.TensorSpec([None, 8])])
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(inputs @ self.first) @ self.second

    @tf.function(input_signature=[tf.TensorSpec([None, 8]), tf.TensorSpec([None, 1])])
    def train(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """One step of gradient descent; return the loss before it."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(inputs) - targets) ** 2)
        weights = [self.first, self.second]
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(0.02 * gradient)
        self.steps.assign_add(1)
        return loss


def main(folder: Path) -> None:
    tf.random.set_seed(0)
    inputs = tf.random.normal([256, 8])
    targets = tf.reduce_sum(inputs, axis=1, keepdims=True)

    network = Network()
    for _ in range(50):
        loss = network.train(inputs, targets)
    path = folder / "network.safemodel"
    sm.save(network, path, metadata={"name": "examples/tensorflow", "version": "1.0"})
    print(f"after {network.steps.numpy()} steps, loss {loss:.6f}: saved {path}")

    # Both methods are in the archive, as graphs. Loading it needs neither the class nor its code.
    loaded = sm.load(path, name="examples/tensorflow")
    same = bool(tf.reduce_all(loaded(inputs) == network(inputs)))
    print(f"loaded {type(loaded).__name__}, the same outputs: {same}")
    for _ in range(50):
        expected = network.train(inputs, targets)
        loss = loaded.entry("train")(inputs, targets)
    print(f"after 50 more, loss {loss:.6f}; without a load {expected:.6f}")
    if not same or loss != expected:
        raise SystemExit("the loaded module went another way")
    sm.save(loaded, path, metadata={"name": "examples/tensorflow", "version": "1.1"})
    print(f"saved again: {path}")

    # Or the state alone, into a module that you have made.
    mine = Network()
    report = sm.load(path, into=mine)
    print(f"loaded into a module: {report}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
