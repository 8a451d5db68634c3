"""How streams of a data source are laid out in Kafka."""

from enum import Enum

__all__ = ["StreamCreationStrategy"]


class StreamCreationStrategy(Enum):
    """One partition per stream, or one topic per stream."""

    PARTITION_BASE = 1
    """All streams in one topic, each in a partition of its own (see `PartitionMapping`)."""
    TOPIC_BASE = 2
    """Each stream in a topic of its own."""
    # Names in other documents of the platform.
    PARTITION_BASED = 1
    STREAM_BASE = 1
    STREAM_BASED = 1
    TOPIC_BASED = 2
