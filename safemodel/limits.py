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
MAX_JSON_TOKENS: Final = 8_000_000  # commas and opening brackets: bounds what parsing allocates
MAX_MANIFEST_SIZE: Final = 128 * MIB
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
MAX_SIGNATURE_DEPTH: Final = 16  # of brackets; the deepest statement needs 6
MAX_SIGNATURE_TOKENS: Final = 2_000_000  # commas and brackets: bounds memory, not only depth
MAX_SIGNATURE_VALUE: Final = 8 * KIB  # the signature itself; ML-DSA-65 needs 3,309 bytes
MAX_RESOURCE_NAME: Final = 4 * KIB  # a path in an adopted folder
MAX_IGNORE_PATHS: Final = 1_000

# Keys and the trust store
MAX_KEY_FILE: Final = 64 * KIB
MAX_TRUST_STORE: Final = 16 * MIB
MAX_MODEL_NAME: Final = 200
MAX_LABEL: Final = 200
MAX_VERSION: Final = 100

# Object graphs of the adapters
MAX_GRAPH_NODES: Final = 4_000_000
MAX_INTEGER_DIGITS: Final = 4_000
MAX_GRAPH_DEPTH: Final = 1_000  # shortest path from the root to a node
MAX_GRAPH_CHAIN: Final = 1_000  # longest chain of what is freed by recursion
MAX_FROZEN_DEPTH: Final = 64  # tuples and frozensets in one another: hashing them recurses
MAX_EQUAL_HASHES: Final = 64
MAX_NUMBER_KEYS: Final = 10_000  # of one container, if they are not text and not numbered
MAX_HASHED: Final = 100_000_000  # items of tuples in keys, each as often as it occurs
MAX_INLINE_BYTES: Final = 1 * KIB
FREE_COPIES: Final = 64 * MIB  # bytes that a load may copy, and MAX_COPIES times the stored ones
MAX_COPIES: Final = 2
LOOKS_PER_COPY: Final = 8  # looking at a byte costs an eighth of copying it
MAX_BROADCAST: Final = 1 * GIB  # a view may address this much more than the bytes it stands on

# Programs of PyTorch modules
MAX_PROGRAM_VALUES: Final = 500_000  # of one archive: arguments, results, items of lists
MAX_PROGRAM_NODES: Final = 50_000
MAX_PROGRAM_STATE: Final = 100_000
MAX_PROGRAM_GRAPHS: Final = 10_000
MAX_PROGRAM_CALLS: Final = 16  # graphs that run one another
MAX_PROGRAM_LISTS: Final = 4  # lists of arguments in one another
MAX_PROGRAM_TREE: Final = 32  # containers of inputs and outputs in one another
MAX_PROGRAM_ENTRIES: Final = 100
MAX_TENSORFLOW_EXPANDED: Final = 200_000  # nodes, those of a function as often as it is called

# ONNX
MAX_ONNX_GRAPH: Final = 2**31 - 1  # bytes of graph.onnx: protobuf has no longer messages
MAX_ONNX_FIELDS: Final = 8_000_000
MAX_ONNX_DEPTH: Final = 64  # messages in one another; a subgraph takes three, and parsers take 100
MAX_ONNX_CALLS: Final = 64  # functions that call one another
MAX_ONNX_TREE: Final = 4_096  # depth of a decision tree: ONNX Runtime recurses
MAX_ONNX_NODES: Final = 1_000_000  # nodes when every call of a function is replaced by its body
MAX_ONNX_SPARSE: Final = 1 * GIB  # bytes that a sparse tensor takes when it is made dense
