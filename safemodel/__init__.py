"""Models in an archive that is verified before it is read, and that runs no code.

    import safemodel as sm

    sm.save(model, "m.safemodel", metadata={"name": "acme/fraud", "version": "3.1"})
    model = sm.load("m.safemodel")
    model = sm.load("theirs.safemodel", trust=sm.TrustedKeys("acme.pub"), name="acme/fraud")

This module is the public API and nothing else. Every name is imported when it is first used
(PEP 562), so `import safemodel` costs a few milliseconds and no framework.
"""

__version__ = "0.1.0"

__all__ = [
    "save",
    "load",
    "load_architecture",
    "load_weights",
    "load_tokenizer",
    "save_checkpoint",
    "load_checkpoint",
    "latest_checkpoint",
    "OnnxFile",
    "onnx_session",
    "open",
    "verify",
    "inspect",
    "sign",
    "scan",
    "convert",
    "export",
    "private_folder",
    "guard",
    "pack",
    "unpack",
    "Signer",
    "PublicKey",
    "TrustedKeys",
    "UNSIGNED",
    "LoadReport",
    "CheckpointReport",
    "Report",
    "Severity",
    "errors",
    "__version__",
]

# Not imported from typing: that alone would cost milliseconds. Type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from safemodel import errors as errors
    from safemodel import guard as guard
    from safemodel.adapters import load as load
    from safemodel.adapters import save as save
    from safemodel.adapters.apart import load_architecture as load_architecture
    from safemodel.adapters.apart import load_weights as load_weights
    from safemodel.adapters.checkpoints import CheckpointReport as CheckpointReport
    from safemodel.adapters.checkpoints import latest_checkpoint as latest_checkpoint
    from safemodel.adapters.checkpoints import load_checkpoint as load_checkpoint
    from safemodel.adapters.checkpoints import save_checkpoint as save_checkpoint
    from safemodel.adapters.onnx.files import OnnxFile as OnnxFile
    from safemodel.adapters.onnx.session import onnx_session as onnx_session
    from safemodel.adapters.protocol import LoadReport as LoadReport
    from safemodel.adapters.tokenizer import load_tokenizer as load_tokenizer
    from safemodel.bundle import inspect as inspect
    from safemodel.bundle import open_bundle as open
    from safemodel.bundle import pack as pack
    from safemodel.bundle import sign as sign
    from safemodel.bundle import unpack as unpack
    from safemodel.bundle import verify as verify
    from safemodel.convert import convert as convert
    from safemodel.export import export as export
    from safemodel.export.private import private_folder as private_folder
    from safemodel.report.model import Report as Report
    from safemodel.report.model import Severity as Severity
    from safemodel.scan import scan as scan
    from safemodel.trust.keys import PublicKey as PublicKey
    from safemodel.trust.keys import Signer as Signer
    from safemodel.trust.policy import UNSIGNED as UNSIGNED
    from safemodel.trust.policy import TrustedKeys as TrustedKeys

# public name -> (module, name there); an empty name is the module itself
_WHERE = {
    "save": ("safemodel.adapters", "save"),
    "load": ("safemodel.adapters", "load"),
    "load_architecture": ("safemodel.adapters.apart", "load_architecture"),
    "load_weights": ("safemodel.adapters.apart", "load_weights"),
    "save_checkpoint": ("safemodel.adapters.checkpoints", "save_checkpoint"),
    "load_checkpoint": ("safemodel.adapters.checkpoints", "load_checkpoint"),
    "latest_checkpoint": ("safemodel.adapters.checkpoints", "latest_checkpoint"),
    "CheckpointReport": ("safemodel.adapters.checkpoints", "CheckpointReport"),
    "OnnxFile": ("safemodel.adapters.onnx.files", "OnnxFile"),
    "onnx_session": ("safemodel.adapters.onnx.session", "onnx_session"),
    "load_tokenizer": ("safemodel.adapters.tokenizer", "load_tokenizer"),
    "LoadReport": ("safemodel.adapters.protocol", "LoadReport"),
    "Report": ("safemodel.report.model", "Report"),
    "Severity": ("safemodel.report.model", "Severity"),
    "open": ("safemodel.bundle", "open_bundle"),
    "verify": ("safemodel.bundle", "verify"),
    "inspect": ("safemodel.bundle", "inspect"),
    "sign": ("safemodel.bundle", "sign"),
    "pack": ("safemodel.bundle", "pack"),
    "unpack": ("safemodel.bundle", "unpack"),
    "Signer": ("safemodel.trust.keys", "Signer"),
    "PublicKey": ("safemodel.trust.keys", "PublicKey"),
    "TrustedKeys": ("safemodel.trust.policy", "TrustedKeys"),
    "UNSIGNED": ("safemodel.trust.policy", "UNSIGNED"),
    "errors": ("safemodel.errors", ""),
    "guard": ("safemodel.guard", ""),
    "scan": ("safemodel.scan", ""),
    "convert": ("safemodel.convert", ""),
    "export": ("safemodel.export", ""),
    "private_folder": ("safemodel.export.private", "private_folder"),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, and remember it."""
    try:
        module_name, attribute = _WHERE[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    from importlib import import_module

    module = import_module(module_name)
    value: object = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
