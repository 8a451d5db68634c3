from google.protobuf.descriptor import Descriptor
from google.protobuf.internal import well_known_types
from google.protobuf.message import Message

# Not the classes of google.protobuf, so that a checker refuses those where the runtime does.
class Any(Message, well_known_types.Any):
    DESCRIPTOR: Descriptor
    def __init__(self, *, type_url: str | None = ..., value: bytes | None = ...) -> None: ...

class Duration(Message, well_known_types.Duration):
    DESCRIPTOR: Descriptor
    def __init__(self, *, seconds: int | None = ..., nanos: int | None = ...) -> None: ...

class Timestamp(Message, well_known_types.Timestamp):
    DESCRIPTOR: Descriptor
    def __init__(self, *, seconds: int | None = ..., nanos: int | None = ...) -> None: ...
