"""Models of Keras 3: `adapter` saves and loads them, and is the only door to Keras.

What audits configurations (`checking`, and the table that it reads) needs no Keras, so that files
of other formats can be audited where it is not installed. Importing this package imports nothing.
"""

from typing import Final

VERSION: Final = 1  # of what the adapter writes; conversions write the same
