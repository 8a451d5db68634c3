"""Writes the type stubs of `telewire.protos` from its compiled descriptors: `python scripts/write_proto_stubs.py`.

Run it after a change of `proto/`; a test compares what is committed with what this script would write.
"""

from pathlib import Path

from google.protobuf import descriptor_pb2

PROTOS = Path(__file__).parent.parent / "python" / "telewire" / "protos"

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    _Field.TYPE_DOUBLE: "float",
    _Field.TYPE_INT64: "int",
    _Field.TYPE_UINT64: "int",
    _Field.TYPE_INT32: "int",
    _Field.TYPE_FIXED64: "int",
    _Field.TYPE_BOOL: "bool",
    _Field.TYPE_STRING: "str",
    _Field.TYPE_BYTES: "bytes",
    _Field.TYPE_UINT32: "int",
    _Field.TYPE_ENUM: "int",
}
# What a message field takes besides its message and a mapping of its fields.
_NATIVE = {"well_known.Duration": "timedelta", "well_known.Timestamp": "datetime"}

_HEAD = """\
# Written by scripts/write_proto_stubs.py from {source}.
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer
from google.protobuf.internal.containers import RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

from telewire.protos import open_data_pb2, well_known

DESCRIPTOR: FileDescriptor
"""


class _Stub:
    """The stub of one proto file."""

    def __init__(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        self.file = file
        self.lines: list[str] = []

    def text(self) -> str:
        """All of it, with those imports that it uses."""
        for enum in self.file.enum_type:
            self._enum(enum)
        for message in self.file.message_type:
            self._message(message)
        body = "\n".join(self.lines) + "\n"
        return _head(self.file.name, body) + body

    def _enum(self, enum: descriptor_pb2.EnumDescriptorProto) -> None:
        self.lines += ["", f"class {enum.name}(int, metaclass=EnumTypeWrapper):"]
        self.lines += [f"    {value.name}: ClassVar[{enum.name}]" for value in enum.value]
        self.lines.append("")
        self.lines += [f"{value.name}: {enum.name}" for value in enum.value]

    def _message(self, message: descriptor_pb2.DescriptorProto) -> None:
        entries = {entry.name: entry for entry in message.nested_type if entry.options.map_entry}
        body = ["DESCRIPTOR: Descriptor"]
        body += [f"{field.name.upper()}_FIELD_NUMBER: Final = {field.number}" for field in message.field]
        arguments = []
        for field in message.field:
            lines, argument = self._field(field, entries.get(field.type_name.rpartition(".")[2]))
            body += lines
            arguments.append(f"    {field.name}: {argument} | None = ...,")
        if arguments:
            body += ["def __init__(", "    self,", "    *,", *arguments, ") -> None: ..."]
        else:
            body.append("def __init__(self) -> None: ...")
        for index, oneof in enumerate(message.oneof_decl):
            members = [
                f'"{field.name}"'
                for field in message.field
                if field.HasField("oneof_index") and field.oneof_index == index and not field.proto3_optional
            ]
            if members:
                group = f'Literal["{oneof.name}", b"{oneof.name}"]'
                body.append(f"def WhichOneof(self, oneof_group: {group}) -> Literal[{', '.join(members)}] | None: ...")
        self.lines += ["", f"class {message.name}(Message):", *(f"    {line}" for line in body)]

    def _field(
        self,
        field: descriptor_pb2.FieldDescriptorProto,
        entry: descriptor_pb2.DescriptorProto | None,
    ) -> tuple[list[str], str]:
        """The attribute's lines, and the type of the constructor's argument."""
        if entry is not None:
            key, value = (self._type(part) for part in entry.field)
            if entry.field[1].type == _Field.TYPE_MESSAGE:
                return _property(field.name, f"MessageMap[{key}, {value}]"), f"Mapping[{key}, {value}]"
            return _property(field.name, f"ScalarMap[{key}, {value}]"), f"Mapping[{key}, {value}]"
        kind = self._type(field)
        if field.type == _Field.TYPE_MESSAGE:
            if field.label == _Field.LABEL_REPEATED:
                container = f"RepeatedCompositeFieldContainer[{kind}]"
                return _property(field.name, container), f"Iterable[{kind} | Mapping[str, object]]"
            native = _NATIVE.get(kind)
            lines = _property(field.name, kind)
            if native:
                lines += [f"@{field.name}.setter", f"def {field.name}(self, value: {native}) -> None: ..."]
            return lines, " | ".join([kind, *([native] if native else []), "Mapping[str, object]"])
        takes = "int | str" if field.type == _Field.TYPE_ENUM else kind
        if field.label == _Field.LABEL_REPEATED:
            return _property(field.name, f"RepeatedScalarFieldContainer[{kind}]"), f"Iterable[{takes}]"
        return [f"{field.name}: {kind}"], takes

    def _type(self, field: descriptor_pb2.FieldDescriptorProto) -> str:
        if field.type != _Field.TYPE_MESSAGE:
            return _SCALARS[field.type]
        package, _, name = field.type_name.removeprefix(".").rpartition(".")
        if package == self.file.package:
            return name
        module = {"google.protobuf": "well_known", "ma.streaming.open_data.v1": "open_data_pb2"}[package]
        return f"{module}.{name}"


def _property(name: str, kind: str) -> list[str]:
    return ["@property", f"def {name}(self) -> {kind}: ..."]


def _head(source: str, body: str) -> str:
    """The lines before the body, with only those imported names that it uses."""
    lines: list[str] = []
    for line in _HEAD.format(source=source).splitlines():
        before, imports, names = line.partition(" import ")
        if imports:
            used = [name for name in names.split(", ") if name in body or name == "FileDescriptor"]
            if used:
                lines.append(f"{before} import {', '.join(used)}")
        elif line or lines[-1]:
            lines.append(line)
    return "\n".join(lines) + "\n"


def stubs() -> dict[str, str]:
    """The text of every stub by its file's name."""
    compiled = descriptor_pb2.FileDescriptorSet.FromString((PROTOS / "descriptors.binpb").read_bytes())
    return {
        f"{Path(file.name).stem}_pb2.pyi": _Stub(file).text()
        for file in compiled.file
        if file.package.startswith("ma.streaming.")
    }


if __name__ == "__main__":
    for file_name, stub in stubs().items():
        (PROTOS / file_name).write_text(stub)
