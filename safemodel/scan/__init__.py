"""What would this file do, if something loaded it? The judge of the facts that `legacy` reads.

Imports no framework, writes nothing, and opens no socket. `scan` is the whole interface.
"""

from safemodel.scan.engine import scan

__all__ = ["scan"]
