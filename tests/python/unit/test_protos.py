"""The message classes of `telewire.protos` behave like those protoc would have written."""

import copy
import datetime as dt
import pickle
import runpy
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool, duration_pb2, json_format, wrappers_pb2

from processes import run_python
from telewire import protos
from telewire.protos import api_pb2, key_generator_pb2, open_data_pb2, well_known
from telewire.protos.open_data_pb2 import DataStatus, DataType, DoubleSample, NewSessionPacket, Packet

REPOSITORY = Path(__file__).parents[3]


def test_stubs_are_what_the_script_writes_from_the_descriptors() -> None:
    stubs = runpy.run_path(str(REPOSITORY / "scripts" / "write_proto_stubs.py"))["stubs"]()
    assert len(stubs) == 3
    for name, text in stubs.items():
        assert (Path(protos.__file__).parent / name).read_text() == text, f"run scripts/write_proto_stubs.py: {name}"


def test_the_stubs_and_the_modules_have_the_same_names() -> None:
    for module in (open_data_pb2, api_pb2, key_generator_pb2):
        descriptor = module.DESCRIPTOR
        names = {*descriptor.message_types_by_name, *descriptor.enum_types_by_name}
        for enum in descriptor.enum_types_by_name.values():
            names |= {value.name for value in enum.values}
        stub = Path(str(module.__file__)).with_suffix(".pyi").read_text()
        for name in names:
            assert hasattr(module, name)
            assert f"\nclass {name}(" in stub or f"\n{name}: " in stub


def test_nothing_is_registered_in_the_process_wide_pool() -> None:
    assert open_data_pb2.DESCRIPTOR.pool is not descriptor_pool.Default()
    assert Packet.DESCRIPTOR.full_name == "ma.streaming.open_data.v1.Packet"


def test_enums_are_attributes_and_wrappers() -> None:
    assert open_data_pb2.DATA_STATUS_VALID == DataStatus.DATA_STATUS_VALID == DataStatus.Value("DATA_STATUS_VALID") == 1
    assert DataType.Name(9) == "DATA_TYPE_STRING"
    assert DoubleSample(status="DATA_STATUS_MISSING").status == open_data_pb2.DATA_STATUS_MISSING


def test_messages_can_be_pickled_and_copied() -> None:
    session = NewSessionPacket(data_source="CarA", utc_offset=dt.timedelta(hours=-5))
    assert pickle.loads(pickle.dumps(session)) == session
    assert copy.deepcopy(session) == session
    assert type(session).__module__ == "telewire.protos.open_data_pb2"


def test_times_are_taken_from_datetime() -> None:
    when = dt.datetime(2025, 5, 4, 14, 3, tzinfo=dt.UTC)
    session = NewSessionPacket(utc_offset=dt.timedelta(hours=1), creation_time=when)
    assert session.utc_offset.ToTimedelta() == dt.timedelta(hours=1)
    assert session.creation_time.ToDatetime(dt.UTC) == when
    session.utc_offset = dt.timedelta(minutes=30)
    assert session.utc_offset.seconds == 1800
    assert not NewSessionPacket(utc_offset=None).HasField("utc_offset")
    assert NewSessionPacket(utc_offset={"seconds": 7}).utc_offset == well_known.Duration(seconds=7)


def test_messages_of_the_process_wide_pool_are_refused_and_bytes_are_the_way() -> None:
    foreign = duration_pb2.Duration(seconds=60)
    with pytest.raises((TypeError, AttributeError)):  # the latter in protobuf 6.33
        NewSessionPacket(utc_offset=foreign)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        NewSessionPacket().utc_offset.CopyFrom(foreign)  # type: ignore[arg-type]
    ours = well_known.Duration.FromString(foreign.SerializeToString())
    assert NewSessionPacket(utc_offset=ours).utc_offset.ToSeconds() == 60


def test_metadata_holds_values_of_any_type() -> None:
    metadata = open_data_pb2.MetadataPacket()
    metadata.metadata["driver"].Pack(wrappers_pb2.StringValue(value="A"))
    read = open_data_pb2.MetadataPacket.FromString(metadata.SerializeToString())
    value = wrappers_pb2.StringValue()
    assert read.metadata["driver"].Unpack(value)
    assert value.value == "A"


def test_messages_go_to_json_and_back() -> None:
    session = NewSessionPacket(data_source="CarA", utc_offset=dt.timedelta(hours=1))
    text = json_format.MessageToJson(session)
    assert '"utcOffset": "3600s"' in text
    assert json_format.Parse(text, NewSessionPacket()) == session


def test_oneofs_tell_their_case_even_when_it_is_zero() -> None:
    assert open_data_pb2.SampleDataFormat().WhichOneof("format") is None
    by_id = open_data_pb2.SampleDataFormat(data_format_identifier=0)
    assert by_id.WhichOneof("format") == "data_format_identifier"


def test_durations_and_times_can_be_pickled_without_importing_their_module() -> None:
    program = """
        import datetime, gc, pickle, sys
        from telewire.protos import open_data_pb2
        gc.collect()  # What nobody holds is gone now.
        packet = open_data_pb2.NewSessionPacket(utc_offset=datetime.timedelta(hours=1))
        assert "telewire.protos.well_known" not in sys.modules
        assert pickle.loads(pickle.dumps(packet.utc_offset)) == packet.utc_offset
        print(type(packet.utc_offset))
    """
    assert run_python(program).stdout == "<class 'telewire.protos.well_known.Duration'>\n"
