"""Write single packets, built by hand with protobuf: for programs that bring their own packets.

Everything a session needs stays possible on this level; order and duplication of essential packets are yours to keep.

    python examples/packet_writer.py localhost:9092
"""

from __future__ import annotations

import json
import sys
import time

import telewire
from telewire.protos import open_data_pb2 as od

DATA_SOURCE = "CarB"


def main() -> None:
    broker = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
    with telewire.connect(broker) as client:
        with client.create_session(DATA_SOURCE, identifier="By hand") as session:
            session.configure([telewire.Parameter("nEngine:PowerUnit", units="rpm", frequency=10)])
            session.stream("PowerUnit")
            writer = client.packet_writer()

            content = od.PeriodicDataPacket(
                data_format=od.SampleDataFormat(
                    data_format_identifier=client.parameter_format(DATA_SOURCE, ["nEngine:PowerUnit"])
                ),
                start_time=time.time_ns(),
                interval=100_000_000,
                columns=[
                    od.SampleColumn(
                        double_samples=od.DoubleSampleList(
                            samples=[
                                od.DoubleSample(value=rpm, status=od.DATA_STATUS_VALID)
                                for rpm in (9000.0, 9500.0, 10000.0)
                            ]
                        )
                    )
                ],
            )
            packet = od.Packet(type="PeriodicData", session_key=session.key, content=content.SerializeToString())
            writer.write(DATA_SOURCE, "PowerUnit", session.key, packet)

            # A type of our own, with content of our own: it passes through untouched.
            custom = od.Packet(
                type="PitBoard", session_key=session.key, content=json.dumps({"text": "P1 +3.2"}).encode()
            )
            writer.write(DATA_SOURCE, "PowerUnit", session.key, custom)

            flushed = writer.flush(timeout_s=10)
            if flushed.failed or flushed.left:
                sys.exit(f"{len(flushed.failed)} packets failed, {flushed.left} have no outcome yet")
            print(f"{flushed.delivered} packets are on the broker")

        for packet_read in client.read(session.key, streams=["PowerUnit"], exclude_main=True):
            samples = packet_read.samples()
            if samples is not None:
                print("rpm", samples.values[:, 0].tolist())
            elif packet_read.type == "PitBoard":
                print("pit board", json.loads(packet_read.content))


if __name__ == "__main__":
    main()
