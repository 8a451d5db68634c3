"""A program that writes the samples of a session as rows, one for each time, and its laps.

Usage: samples_2026.py BROKER SESSION_KEY
"""

import sys
import threading

from ma_dataplatforms_streaming_support_library.contracts.buffering.buffering_configuration import (
    BufferingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.buffering.end_timestamp_data import EndTimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_timestamp_data import ITimestampData
from ma_dataplatforms_streaming_support_library.contracts.buffering.marker_data import MarkerData
from ma_dataplatforms_streaming_support_library.contracts.buffering.start_timestamp_data import StartTimestampData
from ma_dataplatforms_streaming_support_library.contracts.shared.i_handler import IHandler
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper

DATA_SOURCE = "Default"
PARAMETERS = ["vCar:Chassis", "n*:Engine"]

done = threading.Event()


class Rows(IHandler[ITimestampData]):
    def handle(self, obj: ITimestampData) -> None:
        if isinstance(obj, StartTimestampData):
            print(f"start {obj.session_key}", flush=True)
            return
        if isinstance(obj, EndTimestampData):
            print(f"end {obj.end_time}", flush=True)
            done.set()
            return
        for column in obj.time_columns:
            row = {value.identifier: value.cast(float) for value in column.sample_values}
            markers = [value.cast(MarkerData) for value in column.sample_values]
            for marker in filter(None, markers):
                row.pop("Marker")
                print(f"marker {column.timestamp} {marker.label} {marker.value}", flush=True)
            if row:
                print(f"row {column.timestamp} {row}", flush=True)


def main() -> None:
    lib = SupportLibraryBootstrapper.bootstrap(StreamingApiConfiguration(broker_list=sys.argv[1]), Logger()).create()
    lib.initialise()
    lib.start()
    samples = (
        lib.get_sample_reader_api()
        .create_service(BufferingConfiguration(PARAMETERS, include_marker_data=True))
        .unwrap()
    )
    reader = lib.get_reading_packet_api().create_service(DATA_SOURCE, sys.argv[2]).unwrap()
    samples.set_reader_service(reader)
    samples.add_handler(Rows())
    with samples, reader:
        if not done.wait(60):
            sys.exit(1)
        for stream, last in samples.get_last_time_info(DATA_SOURCE, sys.argv[2]):
            print(f"last '{stream}' {last}", flush=True)
        print(f"late {samples.late_sample_count()}", flush=True)
    lib.stop()
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
