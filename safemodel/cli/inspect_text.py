"""`safemodel inspect` for people: facts in two columns, and the tree of tensors.

Everything that comes from the file goes through `escape`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from safemodel.adapters.needs import needs_of
from safemodel.cli.arrays import arrays_of, real_names
from safemodel.cli.inspect import View
from safemodel.cli.output import Output, count_text, escape, size_text
from safemodel.cli.signers import name_of, names_of, time_text
from safemodel.format.canonical_json import JsonValue
from safemodel.format.manifest import Manifest
from safemodel.format.metadata import Reference
from safemodel.format.weights import TensorInfo

SHOWN_TENSORS = 60
_SHOWN_ARRAYS = 3
_MAX_PART = 72  # longer ones would push everything else off the screen; JSON has them whole
_MAX_FACT = 1000
_LABEL = 14

Row = tuple[str, str]


def lines(view: View, out: Output, *, everything: bool = False) -> Iterator[str]:
    """All lines of the view."""
    yield verdict(view, out)
    yield ""
    for label, value in facts(view):
        yield f"{out.strong(label.ljust(_LABEL))}{value}"
    if view.manifest.files:
        yield ""
        yield from _columns(members(view), out)
    if view.tensors:
        yield ""
        yield from _columns(tensors(view, everything=everything), out)


def verdict(view: View, out: Output) -> str:
    """What of the rest may be believed: the first line."""
    path = escape(view.path)
    if view.refusal is not None:
        place = f"{view.refusal.place}: " if view.refusal.place else ""
        return f"{path}: {out.bad('not verified')}: {escape(place + view.refusal.message)}"
    if not view.signers:
        return f"{path}: {out.bad('not verified')}: nobody's signature was asked for"
    signed = f"{out.good('verified')}: manifest signed by {names_of(view.signers)}"
    name = "" if view.name_checked else ", name not checked"
    return f"{path}: {signed}{name}; payload not read: `safemodel verify` reads it"


def facts(view: View) -> Iterator[Row]:
    """What the manifest says, without members and tensors."""
    manifest, metadata = view.manifest, view.manifest.metadata
    yield "name", escape(metadata.name or "none")
    optional = (
        ("version", metadata.version),
        ("description", metadata.description),
        ("license", metadata.license),
        ("task", metadata.task),
        ("tags", ", ".join(metadata.tags)),
        ("metrics", ", ".join(f"{name} {value}" for name, value in metadata.metrics.items())),
        ("datasets", "; ".join(map(_reference, metadata.datasets))),
        ("base models", "; ".join(map(_reference, metadata.lineage.base_models))),
        ("sources", "; ".join(map(_reference, metadata.lineage.sources))),
        ("made with", metadata.lineage.tool),
        ("framework", _framework(view)),
        ("libraries", ", ".join(f"{name} {v}" for name, v in manifest.libraries.items())),
        ("onnx", _onnx(manifest)),
        ("program", _program(manifest.architecture)),
        ("requires", ", ".join(manifest.requires)),
        ("needs", _needs(needs_of(manifest.architecture))),
        ("more", ", ".join([*metadata.extra, *manifest.extra])),
    )
    for label, value in optional:
        if value:
            yield label, _clip(escape(value), _MAX_FACT)
    if manifest.training_state is not None:
        yield "training", _clip(escape(_training(manifest.training_state)), _MAX_FACT)
    yield "encoding", f"{view.encoding}, {size_text(view.size)}"
    yield "digest", view.digest
    yield from _signatures(view)


def _onnx(manifest: Manifest) -> str:
    """Which ONNX the graph is written for, of a model in ONNX or one that has this form too."""
    said = manifest.extra.get("x-onnx", manifest.architecture)
    opsets = said.get("opsets") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(opsets, dict):
        return ""
    versions = (f"{domain} {version}" for domain, version in opsets.items())
    return ", ".join((*versions, f"IR {said.get('ir_version')}"))


def _program(architecture: JsonValue) -> str:
    """Of a module that is stored with its graph: its methods, and how many operators they use."""
    program = architecture.get("program") if isinstance(architecture, dict) else None
    entries = program.get("entries") if isinstance(program, dict) else None
    operators = program.get("operators") if isinstance(program, dict) else None
    if not isinstance(entries, dict) or not isinstance(operators, list):
        return ""
    methods = (
        f"{name} ({' and '.join(modes)})" if isinstance(modes, dict) else name
        for name, modes in entries.items()
    )
    return f"{', '.join(methods)}; {count_text(len(operators), 'operator')}"


def _training(state: JsonValue) -> str:
    """Of a checkpoint: at which step, and of what."""
    parts = state.get("parts") if isinstance(state, dict) else None
    if not isinstance(state, dict) or not isinstance(parts, dict):
        return "has a training state"
    step = state.get("step")
    at = f" at step {step}" if isinstance(step, int) else ""
    return f"a checkpoint{at}: {', '.join(parts)}"


def _needs(names: Sequence[str]) -> str:
    """What a load needs the caller to write, of code that is not in the archive."""
    listed = ", ".join(f'"{name}"' for name in names)
    return f"allow=[{listed}]" if names else ""


def _framework(view: View) -> str:
    adapter = view.manifest.adapter
    made = f" (adapter {adapter.name} {adapter.version})" if adapter else ""
    return f"{view.manifest.framework or 'none'}{made}"


def _clip(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 3]}..."


def _reference(reference: Reference) -> str:
    digests = ", ".join(f"{name}:{value[:16]}" for name, value in reference.digest.items())
    parts = (reference.name, reference.version, reference.uri, digests)
    return " ".join(part for part in parts if part)


def _signatures(view: View) -> Iterator[Row]:
    verified = {signer.file: signer for signer in view.signers}
    if not view.claims:
        yield "signatures", "none"
    for claim in view.claims:
        signer = verified.get(claim.file)
        if signer is None:
            yield "signature", f"{claim.kind}, claims key {claim.key_id}, not verified"
            continue
        expires = getattr(signer.statement, "expires", None)
        note = getattr(signer.statement, "note", None)
        yield (
            "signature",
            f"{signer.kind}, verified: {name_of(signer)}"
            + (f", until {time_text(expires)}" if expires else "")
            + (f", note: {escape(note)}" if note else ""),
        )


def members(view: View) -> Iterator[tuple[str, ...]]:
    """A table of the payload members, with a head."""
    yield "member", "size", "media type"
    for name, entry in view.manifest.files.items():
        yield escape(name), size_text(entry.size), escape(entry.media_type)


# The tree of tensors


@dataclass(slots=True)
class _Branch:
    """A part of a tensor's name, what is below it, and the tensor that ends here."""

    children: dict[str, _Branch] = field(default_factory=dict)
    tensor: TensorInfo | None = None


def tensors(view: View, *, everything: bool = False) -> Iterator[tuple[str, ...]]:
    """A table of the tree of tensors, cut at the dots of their names, with a head."""
    arrays = arrays_of(view.manifest)
    names = real_names(view.manifest)
    total = sum(tensor.nbytes for _, tensor in view.tensors)
    yield count_text(len(view.tensors), "tensor"), "dtype", "shape", size_text(total), ""
    ordered = sorted((names.get(t.name, t.name), t) for _, t in view.tensors)
    listed = ordered if everything else ordered[:SHOWN_TENSORS]
    root = _Branch()
    for name, tensor in listed:
        branch = root
        for part in name.split("."):
            branch = branch.children.setdefault(part, _Branch())
        branch.tensor = tensor
    yield from _rows(root, arrays)
    if len(listed) < len(ordered):
        yield f"  and {len(ordered) - len(listed):,} more: --all shows them", "", "", "", ""


def _rows(root: _Branch, arrays: dict[str, list[str]]) -> Iterator[tuple[str, ...]]:
    # A stack and no recursion: a name may have a thousand dots.
    stack = [(part, child, 1) for part, child in reversed(root.children.items())]
    while stack:
        part, branch, depth = stack.pop()
        while branch.tensor is None and len(branch.children) == 1:
            only, branch = next(iter(branch.children.items()))
            part = f"{part}.{only}"
        yield (
            "  " * min(depth, 20) + _clip(escape(part), _MAX_PART),
            *_cells(branch.tensor, arrays),
        )
        stack += [(p, child, depth + 1) for p, child in reversed(branch.children.items())]


def _cells(tensor: TensorInfo | None, arrays: dict[str, list[str]]) -> tuple[str, ...]:
    if tensor is None:
        return "", "", "", ""
    shape = str(list(tensor.shape))
    return tensor.dtype, shape, size_text(tensor.nbytes), _shared(arrays.get(tensor.name, ()))


def _shared(paths: Sequence[str]) -> str:
    """Which arrays share the memory of a tensor, where several do."""
    if len(paths) < 2:
        return ""
    named = ", ".join(map(escape, paths[:_SHOWN_ARRAYS]))
    more = f" and {len(paths) - _SHOWN_ARRAYS} more" if len(paths) > _SHOWN_ARRAYS else ""
    return f"shared by {named}{more}"


def is_size(cell: str) -> bool:
    """Whether a cell holds what `size_text` made."""
    return cell[:1].isdigit() and cell.endswith("B")


def _columns(table: Iterator[tuple[str, ...]], out: Output) -> Iterator[str]:
    """Lines of a table whose first row is the head; sizes are aligned to the right."""
    rows = list(table)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for index, row in enumerate(rows):
        cells = [
            cell.rjust(width) if is_size(cell) else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        text = "  ".join(cells).rstrip()
        yield text if index else out.strong(text)
