"""Our message classes beside another copy of the same schema in one process, in either order of import."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.peers

OURS = "from telewire.protos import open_data_pb2 as ours, api_pb2, key_generator_pb2"
THEIRS = "from quixstreams.models.serializers.fia_open_data import open_data_pb2 as theirs"
BOTH_WORK = """
import datetime

assert ours.Packet is not theirs.Packet
session = ours.NewSessionPacket(
    data_source="CarA",
    utc_offset=datetime.timedelta(hours=1),
    topic_partition_offsets={"CarA:0": 3},
    session_info=ours.SessionInfoPacket(identifier="Run 1"),
)
for a, b in ((ours, theirs), (theirs, ours)):
    packet = a.Packet(type="NewSession", session_key="k", content=session.SerializeToString(), id=2**63)
    copy = b.Packet.FromString(packet.SerializeToString())
    assert (copy.type, copy.session_key, copy.id) == ("NewSession", "k", 2**63)
    read = b.NewSessionPacket.FromString(copy.content)
    assert read.SerializeToString(deterministic=True) == session.SerializeToString(deterministic=True)
    assert read.utc_offset.ToTimedelta() == datetime.timedelta(hours=1)
api_pb2.DataPacketDetails(message=ours.Packet(type="x"))
try:
    api_pb2.DataPacketDetails(message=theirs.Packet(type="x"))
except TypeError:
    pass
else:
    raise AssertionError("a message of another pool was taken")
print("both work")
"""


@pytest.mark.parametrize("order", [(OURS, THEIRS), (THEIRS, OURS)], ids=["ours-first", "theirs-first"])
def test_both_copies_work_in_one_process(order: tuple[str, str]) -> None:
    script = "\n".join([*order, BOTH_WORK])
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "both work\n"
