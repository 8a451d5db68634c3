"""Which partition a stream has, for the partition-based strategy."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PartitionMapping"]


@dataclass(frozen=True, slots=True)
class PartitionMapping:
    """The partition of one stream. Partition 0 is the main stream's (``""``).

    Attributes:
        stream: Name of the stream.
        partition: Its partition, from 1; 0 for the main stream only.

    Raises:
        TypeError: An argument of another type.
        ValueError: A negative partition, or partition 0 for a named stream.
    """

    stream: str
    partition: int

    def __post_init__(self) -> None:
        """Check both values."""
        if not isinstance(self.stream, str):
            raise TypeError(f"the stream of a partition mapping must be a str, not {type(self.stream).__name__}")
        if type(self.partition) is not int:
            raise TypeError(f"the partition of stream '{self.stream}' must be an int, not {self.partition!r}")
        if self.partition < 0:
            raise ValueError(f"the partition of stream '{self.stream}' must not be negative, but is {self.partition}")
        if (self.partition == 0) != (self.stream == ""):
            raise ValueError(
                f"partition 0 and the main stream '' belong together: stream '{self.stream}' cannot have partition "
                f"{self.partition}"
            )
