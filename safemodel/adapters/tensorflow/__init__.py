"""TensorFlow: modules, trees of variables, checkpoints, and functions as graphs."""
