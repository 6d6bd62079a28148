"""Trees, support vectors and linear models of `ai.onnx.ml`: what ONNX Runtime takes on trust."""

from __future__ import annotations

from collections.abc import Mapping

from safemodel.adapters.onnx.wire import Message


def check_classical(domain: str, name: str, attributes: Mapping[str, Message]) -> None:
    """Check the attributes of an operator of `ai.onnx.ml`."""
    del domain, name, attributes
