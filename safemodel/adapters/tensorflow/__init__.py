"""TensorFlow: modules, trees of variables, checkpoints, and functions as graphs."""

from typing import Final

VERSION: Final = 1  # of what the adapter writes; conversions write the same
