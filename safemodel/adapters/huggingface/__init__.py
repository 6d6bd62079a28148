"""Models of Hugging Face as data: which classes and configurations there are, and what files.

Tables of names and checks of what configurations and folders say. Knows neither PyTorch nor
Transformers, so that a folder becomes a bundle, and a bundle a folder, without them. Implements
spec/transformers.md.
"""

from typing import Final

VERSION: Final = 1  # of the adapter for Transformers
