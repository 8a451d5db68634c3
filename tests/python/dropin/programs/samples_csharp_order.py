"""A program that does everything late, as those in C# do: the packet reader runs when the sample reader comes, handlers
and subscriptions come after `start`, and the library stops before its readers.

Usage: samples_csharp_order.py BROKER SESSION_KEY
"""

import sys
import threading

from ma_dataplatforms_streaming_support_library.contracts.buffering.buffering_configuration import (
    BufferingConfiguration,
)
from ma_dataplatforms_streaming_support_library.contracts.buffering.end_sample_data import EndSampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_data import ISampleData
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import SupportLibraryBootstrapper

DATA_SOURCE = "Default"


class Statistics:
    """A running mean of each parameter, and how often it had a value."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.done = threading.Event()

    def handle(self, obj: ISampleData) -> None:
        if isinstance(obj, EndSampleData):
            self.done.set()
            return
        numbers = [number for value in obj.values if (number := value.cast(float)) is not None]
        if numbers:
            self.sums[obj.identifier] = self.sums.get(obj.identifier, 0.0) + sum(numbers)
            self.counts[obj.identifier] = self.counts.get(obj.identifier, 0) + len(numbers)


def on_completed(_: object, info: SessionInfo) -> None:
    print(f"event session_data_merging_completed {info.session_key}", flush=True)


def main() -> None:
    library = SupportLibraryBootstrapper.bootstrap(StreamingApiConfiguration(broker_url=sys.argv[1]), Logger()).create()
    library.initialise()
    library.start()

    reader = library.get_reading_packet_api().create_service(DATA_SOURCE, sys.argv[2]).data
    reader.initialise()
    reader.start()

    buffered = library.get_sample_reader_api().create_service(BufferingConfiguration(None, 3000, 5)).unwrap()
    buffered.set_reader_service(reader)
    buffered.initialise()
    buffered.start()
    statistics = Statistics()
    buffered.add_handler(statistics)
    buffered.session_data_merging_completed += on_completed
    buffered.subscribe_all()

    if not statistics.done.wait(60):
        sys.exit(1)
    library.stop()
    buffered.stop()
    reader.stop()
    for identifier, count in sorted(statistics.counts.items()):
        print(f"mean {identifier} {count} {statistics.sums[identifier] / count}", flush=True)


if __name__ == "__main__":
    main()
