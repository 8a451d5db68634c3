"""What a sample reader delivers, and how long it waits for samples that arrive out of order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ma_dataplatforms_streaming_support_library.contracts.buffering.merge_strategy import MergeStrategy
from ma_dataplatforms_streaming_support_library.contracts.shared import arguments as check

__all__ = ["BufferingConfiguration"]


@dataclass(frozen=True, slots=True, init=False)
class BufferingConfiguration:
    """What a sample reader delivers. Read-only. None means the default.

    Attributes:
        subscribed_parameters: Parameters to deliver from the beginning; ``*`` stands for any sequence.
        buffering_window_length: How long samples are waited for, in ms of data time.
        sliding_window_percentage: Size of a delivered slide, in % of the window.
        merge_strategy: Without effect on what is delivered.
        include_marker_data: Deliver markers too.
        include_event_data: Deliver events too.
        include_error_data: Deliver errors too.
        include_can_data: Deliver CAN frames too.
        allow_wildcard_match: Whether ``*`` has its meaning.
        partition_count: Stored, not used.
    """

    subscribed_parameters: list[str]
    buffering_window_length: int
    sliding_window_percentage: int
    merge_strategy: MergeStrategy
    include_marker_data: bool
    include_event_data: bool
    include_error_data: bool
    include_can_data: bool
    allow_wildcard_match: bool
    partition_count: int

    def __init__(
        self,
        subscribed_parameters: Iterable[str] | None = None,
        buffering_window_length: int | None = None,
        sliding_window_percentage: int | None = None,
        merge_strategy: MergeStrategy | None = None,
        include_marker_data: bool | None = None,
        include_event_data: bool | None = None,
        include_error_data: bool | None = None,
        include_can_data: bool | None = None,
        *,
        allow_wildcard_match: bool | None = None,
        partition_count: int | None = None,
    ) -> None:
        """Check and keep the settings.

        Args:
            subscribed_parameters: Parameters to deliver; none by default.
            buffering_window_length: 1 to 3,600,000 ms; 3000 by default.
            sliding_window_percentage: 1 to 100 %; 5 by default.
            merge_strategy: `MergeStrategy.READING_MERGE` by default.
            include_marker_data: Off by default.
            include_event_data: Off by default.
            include_error_data: Off by default.
            include_can_data: Off by default.
            allow_wildcard_match: On by default.
            partition_count: 1 by default.

        Raises:
            TypeError: An argument of another type.
            ValueError: A number out of bounds, or an empty parameter.
        """

        def flag(name: str, value: object, default: bool) -> bool:
            return default if value is None else check.boolean(name, value)

        def size(name: str, value: object, default: int, most: int | None = None) -> int:
            return default if value is None else check.whole(name, value, 1, most)

        parameters = check.texts(
            "subscribed_parameters", () if subscribed_parameters is None else subscribed_parameters
        )
        if "" in parameters:
            raise ValueError("an entry of subscribed_parameters is empty")
        if merge_strategy is None:
            merge_strategy = MergeStrategy.READING_MERGE
        values = {
            "subscribed_parameters": parameters,
            "buffering_window_length": size("buffering_window_length", buffering_window_length, 3000, 3_600_000),
            "sliding_window_percentage": size("sliding_window_percentage", sliding_window_percentage, 5, 100),
            "merge_strategy": check.member("merge_strategy", merge_strategy, MergeStrategy),
            "include_marker_data": flag("include_marker_data", include_marker_data, False),
            "include_event_data": flag("include_event_data", include_event_data, False),
            "include_error_data": flag("include_error_data", include_error_data, False),
            "include_can_data": flag("include_can_data", include_can_data, False),
            "allow_wildcard_match": flag("allow_wildcard_match", allow_wildcard_match, True),
            "partition_count": size("partition_count", partition_count, 1),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
