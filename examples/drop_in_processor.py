"""A processor of one's own in the drop-in's data reader: for how long was the car faster than a limit, every 100 ms.

A processor is called with each parameter in each interval, in order of time, and its results come in batches like those
of the default processor. Usage: drop_in_processor.py [BROKER]
"""

from __future__ import annotations

import sys
import threading

from write_session import write_laps

import telewire
from ma_dataplatforms_streaming_support_library.contracts.interpolation.batch_result import BatchResult
from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_subscription_processor import (
    ISubscriptionProcessor,
)
from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_context import ProcessContext
from ma_dataplatforms_streaming_support_library.contracts.interpolation.process_result import ProcessResult
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.core.base.logger import Logger
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
    SupportLibraryBootstrapper,
)

BROKER = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
# Written by one package and read by the other: both are told the same.
DOMAIN = "Examples"
LIMIT = 250.0


class Above(ProcessResult):
    """For how many ns of an interval the last value was above the limit."""

    def __init__(self, context: ProcessContext, above_ns: int) -> None:
        super().__init__(context.parameter_id, context.interval_start_time_nano, context.interval_end_time_nano)
        self.above_ns = above_ns


class TimeAbove(ISubscriptionProcessor):
    """Adds up the time between points of which the earlier one is above a limit."""

    def process(self, context: ProcessContext) -> Above:
        """One parameter in one interval."""
        before = context.last_data_point_before
        above = before is not None and before.value > LIMIT
        since, total = context.interval_start_time_nano, 0
        for point in context.interval_data_points:
            total += point.timestamp_nanoseconds - since if above else 0
            since, above = point.timestamp_nanoseconds, point.value > LIMIT
        total += context.interval_end_time_nano - since if above else 0
        return Above(context, total)


with telewire.connect(BROKER, domain=DOMAIN, layout="domain") as client:
    session_key = write_laps(client)

library = SupportLibraryBootstrapper.bootstrap(StreamingApiConfiguration(BROKER, domain=DOMAIN), Logger()).create()
with library:
    reader = library.get_reading_packet_api().create_service("CarA", session_key).unwrap()
    samples = library.get_sample_reader_api().create_service().unwrap()
    data = library.get_data_reader_api().create_service().unwrap()
    samples.set_reader_service(reader)
    data.set_sample_reader_service(samples)

    intervals: list[Above] = []
    complete = threading.Event()

    def keep(batch: BatchResult) -> None:
        """Keep the results of a batch."""
        intervals.extend(result for result in batch.results if isinstance(result, Above))

    data.subscribe("limit", ["vCar:Chassis"], 10.0, keep, processor=TimeAbove())
    data.session_data_reading_completed.subscribe(lambda *_: complete.set())
    with data, samples, reader:
        complete.wait(30)

total_s = sum(interval.above_ns for interval in intervals) / 1e9
print(f"{total_s:.2f} s above {LIMIT:g} km/h in {len(intervals)} intervals")
