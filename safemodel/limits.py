"""All limits of format 1 in one place (spec/format.md, "Limits").

A reader MUST refuse what passes them, before it allocates for it. Sizes are bytes.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30

# JSON
MAX_SAFE_INTEGER: Final = 2**53 - 1
MAX_JSON_DEPTH: Final = 64
MAX_MANIFEST_SIZE: Final = 256 * MIB
MAX_ARCHITECTURE_STRING: Final = 4 * KIB

# Members
MAX_MEMBERS: Final = 100_000
MAX_MEMBER_NAME: Final = 200
MAX_MEMBER_DEPTH: Final = 8
MAX_MEMBER_SIZE: Final = 1 << 50
MAX_MEDIA_TYPE: Final = 127

# Chunks: from MIN_CHUNK doubled while the bundle has more than MAX_CHUNKS, at most MAX_CHUNK
MIN_CHUNK: Final = 1 * MIB
MAX_CHUNK: Final = 16 * MIB
MAX_CHUNKS: Final = 65_536

# Weights
MAX_WEIGHTS_HEADER: Final = 100_000_000  # stock safetensors refuses longer headers
MAX_TENSOR_RANK: Final = 64
MAX_TENSOR_NAME: Final = 1024
SHARD_SIZE: Final = 10**9
SHARD_TENSORS: Final = 50_000
MAX_SHARDS: Final = 99_999
WEIGHTS_ALIGNMENT: Final = 64
MEMBER_ALIGNMENT: Final = 4096

# Signatures
MAX_SIGNATURES: Final = 64
MAX_SIGNATURE_FILE: Final = 1 * MIB
MAX_DETACHED_SIGNATURE_FILE: Final = 64 * MIB
MAX_NOTE: Final = 4 * KIB

# Object graphs of the adapters
MAX_GRAPH_NODES: Final = 4_000_000
MAX_INTEGER_DIGITS: Final = 4_000
