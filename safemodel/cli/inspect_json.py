"""`safemodel inspect` for programs (spec/schemas/cli-inspect.schema.json)."""

from __future__ import annotations

import json

from safemodel.adapters.needs import needs_of
from safemodel.cli.arrays import arrays_of, real_names
from safemodel.cli.inspect import View, status
from safemodel.cli.signers import signer_fields


def document(view: View) -> dict[str, object]:
    """The whole view as JSON."""
    from safemodel.format.manifest import encode

    arrays = arrays_of(view.manifest)
    names = real_names(view.manifest)
    return {
        "path": view.path,
        "encoding": view.encoding,
        "size": view.size,
        "digest": view.digest,
        "verified": status(view),
        "signers": [signer_fields(signer) for signer in view.signers],
        "claims": [
            {"file": claim.file, "kind": claim.kind, "key_id": claim.key_id, "hint": claim.hint}
            for claim in view.claims
        ],
        "tensors": [
            {
                "name": names.get(tensor.name, tensor.name),
                "stored_name": tensor.name,
                "member": member,
                "dtype": tensor.dtype,
                "shape": list(tensor.shape),
                "size": tensor.nbytes,
                "arrays": arrays.get(tensor.name, []),
            }
            for member, tensor in view.tensors
        ],
        "needs_allow": needs_of(view.manifest.architecture),
        "manifest": json.loads(encode(view.manifest)),
    }
