"""When the sample reader merges; what it delivers is the same."""

from enum import Enum

__all__ = ["MergeStrategy"]


class MergeStrategy(Enum):
    """Merge when samples arrive, or when they are delivered."""

    WRITING_MERGE = 0
    READING_MERGE = 1
