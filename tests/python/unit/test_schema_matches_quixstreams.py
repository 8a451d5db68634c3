"""Our `open_data.proto` against an independent copy of the schema: the one compiled into quixstreams' wheel."""

import warnings
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from telewire.protos import open_data_pb2

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def theirs() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what quixstreams imports
        from quixstreams.models.serializers.fia_open_data import open_data_pb2 as copy
    return copy.DESCRIPTOR


def proto(file: Any) -> descriptor_pb2.FileDescriptorProto:
    """The file as data: what it declares in full, as far as it is not a default."""
    data = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(data)
    for message in data.message_type:
        for part in (message, *message.nested_type):
            for field in part.field:
                field.ClearField("json_name")  # compared by the name in force
    return data


def fields(file: Any) -> dict[str, tuple[object, ...]]:
    """Every field of every message, with all that decides its bytes and its JSON."""
    declared = {message.name: message for message in proto(file).message_type}
    table: dict[str, tuple[object, ...]] = {}
    for name, message in file.message_types_by_name.items():
        for field, data in zip(message.fields, declared[name].field, strict=True):
            assert field.number == data.number
            table[f"{name}.{field.number}"] = (
                field.name,
                field.json_name,
                data.label,
                data.type,
                data.type_name,
                field.has_presence,
                data.proto3_optional,
                field.containing_oneof.name if field.containing_oneof else None,
                data.options.packed if data.options.HasField("packed") else None,
            )
    return table


def test_it_is_the_same_package_with_the_same_options(theirs: Any) -> None:
    ours = proto(open_data_pb2.DESCRIPTOR)
    copy = proto(theirs)
    assert ours.package == copy.package == "ma.streaming.open_data.v1"
    assert ours.syntax == copy.syntax
    assert ours.options == copy.options
    assert ours.dependency == copy.dependency


def test_every_message_has_the_same_fields(theirs: Any) -> None:
    ours = fields(open_data_pb2.DESCRIPTOR)
    assert len(ours) > 150
    assert ours == fields(theirs)


def test_every_map_has_the_same_entries(theirs: Any) -> None:
    def entries(file: Any) -> dict[str, object]:
        return {
            f"{message.name}.{entry.name}": entry.SerializeToString(deterministic=True)
            for message in proto(file).message_type
            for entry in message.nested_type
        }

    ours = entries(open_data_pb2.DESCRIPTOR)
    assert len(ours) == 4
    assert ours == entries(theirs)


def test_every_enum_has_the_same_values(theirs: Any) -> None:
    def enums(file: Any) -> dict[str, dict[str, int]]:
        return {enum.name: {value.name: value.number for value in enum.value} for enum in proto(file).enum_type}

    ours = enums(open_data_pb2.DESCRIPTOR)
    assert len(ours) == 9
    assert ours == enums(theirs)
