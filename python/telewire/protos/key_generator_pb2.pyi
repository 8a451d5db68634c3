# Written by scripts/write_proto_stubs.py from ma/streaming/key_generator/v1/key_generator.proto.
from typing import ClassVar, Final, Literal

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

DESCRIPTOR: FileDescriptor

class KeyType(int, metaclass=EnumTypeWrapper):
    KEY_TYPE_UNSPECIFIED: ClassVar[KeyType]
    KEY_TYPE_ULONG: ClassVar[KeyType]
    KEY_TYPE_STRING: ClassVar[KeyType]

KEY_TYPE_UNSPECIFIED: KeyType
KEY_TYPE_ULONG: KeyType
KEY_TYPE_STRING: KeyType

class GenerateUniqueKeyRequest(Message):
    DESCRIPTOR: Descriptor
    TYPE_FIELD_NUMBER: Final = 1
    type: int
    def __init__(
        self,
        *,
        type: int | str | None = ...,
    ) -> None: ...

class GenerateUniqueKeyResponse(Message):
    DESCRIPTOR: Descriptor
    STRING_KEY_FIELD_NUMBER: Final = 1
    ULONG_KEY_FIELD_NUMBER: Final = 2
    string_key: str
    ulong_key: int
    def __init__(
        self,
        *,
        string_key: str | None = ...,
        ulong_key: int | None = ...,
    ) -> None: ...
    def WhichOneof(self, oneof_group: Literal["key", b"key"]) -> Literal["string_key", "ulong_key"] | None: ...
