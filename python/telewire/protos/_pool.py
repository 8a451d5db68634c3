"""The private descriptor pool, and the classes and enums built from it.

The pool is filled from `descriptors.binpb`, the compiled form of the repository's `proto/` with the well-known types
it uses.
"""

from importlib.resources import files
from types import MappingProxyType
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

POOL = descriptor_pool.DescriptorPool()
"""Knows the three files of the schema and nothing of the rest of the process."""


def _fill() -> None:
    compiled = descriptor_pb2.FileDescriptorSet.FromString(
        files(__package__).joinpath("descriptors.binpb").read_bytes(),
    )
    for file in compiled.file:  # imports come first
        POOL.AddSerializedFile(file.SerializeToString())


_fill()


def contents(file_name: str, module: str) -> MappingProxyType[str, Any]:
    """Everything a generated module of a proto file has: its descriptor, message classes, enums and their values.

    Args:
        file_name: Import path of the proto file.
        module: Name of the Python module that will hold the contents; pickles refer to it.

    Returns:
        The module's attributes by name.

    Raises:
        KeyError: The pool does not know the file.
    """
    file = POOL.FindFileByName(file_name)
    attributes: dict[str, Any] = {"DESCRIPTOR": file}
    for name, enum in file.enum_types_by_name.items():
        attributes[name] = EnumTypeWrapper(enum)
        attributes.update({value.name: value.number for value in enum.values})
    for name, message in file.message_types_by_name.items():
        message_class = message_factory.GetMessageClass(message)
        message_class.__module__ = module
        attributes[name] = message_class
    return MappingProxyType(attributes)


# Also for programs that never import that module: pickle finds the class of a duration by this name, errors call it so.
# Held here, because the runtime forgets a class that nobody holds, and makes another one when a field needs it.
_WELL_KNOWN = tuple(
    contents(f"google/protobuf/{name}.proto", "telewire.protos.well_known") for name in ("any", "duration", "timestamp")
)
