"""Sample reader and data reader of the drop-in package: samples in order of time, and a parameter at 25 Hz.

The session is written by telewire, to keep this short; any session will do. `examples/windows_live.py` and
`examples/resample_table.py` do the same in telewire's own style. Usage: drop_in_modules.py [BROKER]
"""

from __future__ import annotations

import sys
import threading

from write_session import write_laps

import telewire
from ma_dataplatforms_streaming_support_library.contracts.buffering.buffering_configuration import (
    BufferingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.buffering.end_timestamp_data import EndTimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_timestamp_data import ITimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.marker_data import MarkerData
from ma_dataplatforms_streaming_support_library.contracts.interpolation.batch_result import BatchResult
from ma_dataplatforms_streaming_support_library.contracts.interpolation.default_result import DefaultResult
from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_batch_result_handler import (
    IBatchResultHandler,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_creation_strategy import (
    StreamCreationStrategy,
)
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
    SupportLibraryBootstrapper,
)

BROKER = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
# Written by one package and read by the other: both are told the same.
DOMAIN = "Examples"


class Rows(IHandler[ITimestampData]):
    """Takes the samples time by time."""

    def __init__(self) -> None:
        self.samples = 0
        self.laps: set[str] = set()
        self.done = threading.Event()

    def handle(self, obj: ITimestampData) -> None:
        """Take one slide; the last object of a session is an `EndTimestampData`."""
        if isinstance(obj, EndTimestampData):
            self.done.set()
            return
        for column in obj.time_columns:
            for value in column.sample_values:
                # Markers come among the samples; their type tells them apart.
                marker = value.cast(MarkerData)
                if marker is not None:
                    self.laps.add(marker.label)
                elif value.cast(float) is not None:
                    self.samples += 1


class Dash(IBatchResultHandler):
    """Takes the results of a subscription, a tenth of a second at a time."""

    def __init__(self) -> None:
        self.intervals = 0
        self.fastest = 0.0

    def handle(self, result: BatchResult) -> None:
        """Take one batch."""
        for each in result.results:
            if isinstance(each, DefaultResult) and each.max is not None:
                self.intervals += 1
                self.fastest = max(self.fastest, each.max)


with telewire.connect(BROKER, domain=DOMAIN, layout="domain") as client:
    session_key = write_laps(client)

configuration = StreamingApiConfiguration(BROKER, StreamCreationStrategy.TOPIC_BASE, [], 10, domain=DOMAIN)
library = SupportLibraryBootstrapper.bootstrap(configuration, Logger()).create()
library.initialise()
library.start()

reader = library.get_reading_packet_api().create_service("CarA", session_key).unwrap()
samples = (
    library.get_sample_reader_api()
    .create_service(BufferingConfiguration(["vCar:Chassis", "g*:Chassis"], include_marker_data=True))
    .unwrap()
)
data = library.get_data_reader_api().create_service().unwrap()

samples.set_reader_service(reader)
data.set_sample_reader_service(samples)
rows, dash = Rows(), Dash()
samples.add_handler(rows)
data.subscribe("dash", ["vCar:Chassis"], 25.0, dash)
complete = threading.Event()


def on_completed(_sender: object, _info: SessionInfo) -> None:
    """Say that all batches of a session were delivered."""
    complete.set()


data.session_data_reading_completed.subscribe(on_completed)
for service in (data, samples, reader):
    service.initialise()
    service.start()
rows.done.wait(30)
complete.wait(30)
print(f"{rows.samples} samples in order of time, {', '.join(sorted(rows.laps))}")
print(f"{dash.intervals} intervals of 40 ms, fastest {dash.fastest:.0f} km/h")
print(f"late: {samples.late_sample_count()}")

for service in (reader, samples, data):
    service.stop()
library.stop()
