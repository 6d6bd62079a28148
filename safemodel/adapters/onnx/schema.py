"""The messages of onnx.proto: which field has which number, and what it holds.

A table and nothing else; what is not in it has no place in `graph.onnx`. It is that of ONNX 1.23
(IR version 14). Implements spec/onnx.md, "Encoding".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

IR_VERSION: Final = 14

# kind of a field -> wire type; every other kind is the name of a message
_WIRE: Final[Mapping[str, int]] = {
    "int64": VARINT,
    "uint64": VARINT,
    "int32": VARINT,
    "float": FIXED32,
    "double": FIXED64,
    "text": BYTES,
    "bytes": BYTES,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message. `packed` is how its writers write a repeated number.

    `wire` is the wire type of one value.
    """

    number: int
    name: str
    kind: str
    repeated: bool = False
    packed: bool = False
    choice: str = ""  # of fields with the same choice only one may be there
    wire: int = field(init=False)
    is_message: bool = field(init=False)
    is_number: bool = field(init=False)

    def __post_init__(self) -> None:
        wire = _WIRE.get(self.kind, BYTES)
        object.__setattr__(self, "wire", wire)
        object.__setattr__(self, "is_message", self.kind not in _WIRE)
        object.__setattr__(self, "is_number", wire != BYTES)


def _fields(text: str) -> tuple[Field, ...]:
    """Read rows of `NUMBER KIND NAME`; `*` after the kind is repeated, `+` repeated and packed."""
    found = []
    for row in text.strip().splitlines():
        number, kind, name, *choice = row.split()
        found.append(
            Field(
                int(number),
                name,
                kind.rstrip("*+"),
                kind[-1] in "*+",
                kind[-1] == "+",
                choice[0] if choice else "",
            )
        )
    return tuple(sorted(found, key=lambda one: one.number))


_MESSAGES: Final[Mapping[str, tuple[Field, ...]]] = {
    kind: _fields(text)
    for kind, text in {
        "Model": """
            1 int64 ir_version
            2 text producer_name
            3 text producer_version
            4 text domain
            5 int64 model_version
            6 text doc_string
            7 Graph graph
            8 OperatorSetId* opset_import
            14 Entry* metadata_props
            20 Training* training_info
            25 Function* functions
            26 DeviceConfiguration* configuration
        """,
        "Training": """
            1 Graph initialization
            2 Graph algorithm
            3 Entry* initialization_binding
            4 Entry* update_binding
        """,
        "Graph": """
            1 Node* node
            2 text name
            5 Tensor* initializer
            10 text doc_string
            11 ValueInfo* input
            12 ValueInfo* output
            13 ValueInfo* value_info
            14 TensorAnnotation* quantization_annotation
            15 SparseTensor* sparse_initializer
            16 Entry* metadata_props
        """,
        "Function": """
            1 text name
            4 text* input
            5 text* output
            6 text* attribute
            7 Node* node
            8 text doc_string
            9 OperatorSetId* opset_import
            10 text domain
            11 Attribute* attribute_proto
            12 ValueInfo* value_info
            13 text overload
            14 Entry* metadata_props
        """,
        "Node": """
            1 text* input
            2 text* output
            3 text name
            4 text op_type
            5 Attribute* attribute
            6 text doc_string
            7 text domain
            8 text overload
            9 Entry* metadata_props
            10 NodeDevice* device_configurations
        """,
        "Attribute": """
            1 text name
            2 float f
            3 int64 i
            4 bytes s
            5 Tensor t
            6 Graph g
            7 float* floats
            8 int64* ints
            9 bytes* strings
            10 Tensor* tensors
            11 Graph* graphs
            13 text doc_string
            14 Type tp
            15 Type* type_protos
            20 int32 type
            21 text ref_attr_name
            22 SparseTensor sparse_tensor
            23 SparseTensor* sparse_tensors
        """,
        "Tensor": """
            1 int64* dims
            2 int32 data_type
            3 Segment segment
            4 float+ float_data
            5 int32+ int32_data
            6 bytes* string_data
            7 int64+ int64_data
            8 text name
            9 bytes raw_data
            10 double+ double_data
            11 uint64+ uint64_data
            12 text doc_string
            13 Entry* external_data
            14 int32 data_location
            16 Entry* metadata_props
        """,
        "Segment": "1 int64 begin\n2 int64 end",
        "SparseTensor": "1 Tensor values\n2 Tensor indices\n3 int64* dims",
        "Entry": "1 text key\n2 text value",
        "OperatorSetId": "1 text domain\n2 int64 version",
        "TensorAnnotation": "1 text tensor_name\n2 Entry* quant_parameter_tensor_names",
        "ValueInfo": """
            1 text name
            2 Type type
            3 text doc_string
            4 Entry* metadata_props
        """,
        "Type": """
            1 TensorType tensor_type value
            4 SequenceType sequence_type value
            5 MapType map_type value
            6 text denotation
            7 OpaqueType opaque_type value
            8 TensorType sparse_tensor_type value
            9 SequenceType optional_type value
        """,
        "TensorType": "1 int32 elem_type\n2 Shape shape",
        "SequenceType": "1 Type elem_type",
        "MapType": "1 int32 key_type\n2 Type value_type",
        "OpaqueType": "1 text domain\n2 text name",
        "Shape": "1 Dimension* dim",
        "Dimension": "1 int64 dim_value value\n2 text dim_param value\n3 text denotation",
        "DeviceConfiguration": "1 text name\n2 int32 num_devices\n3 text* device",
        "NodeDevice": """
            1 text configuration_id
            2 Sharding* sharding_spec
            3 int32 pipeline_stage
        """,
        "Sharding": """
            1 text tensor_name
            2 int64* device
            3 IntList* index_to_device_group_map
            4 ShardedDim* sharded_dim
        """,
        "IntList": "1 int64 key\n2 int64* value",
        "ShardedDim": "1 int64 axis\n2 SimpleSharding* simple_sharding",
        "SimpleSharding": "1 int64 dim_value dim\n2 text dim_param dim\n3 int64 num_shards",
    }.items()
}

# message -> tag of the usual writing -> field
BY_TAG: Final[Mapping[str, Mapping[int, Field]]] = {
    kind: {field.number << 3 | (BYTES if field.packed else field.wire): field for field in fields}
    for kind, fields in _MESSAGES.items()
}
# message -> number -> field
BY_NUMBER: Final[Mapping[str, Mapping[int, Field]]] = {
    kind: {one.number: one for one in fields} for kind, fields in _MESSAGES.items()
}
# message -> its fields in the order in which they are written
FIELDS: Final = _MESSAGES
