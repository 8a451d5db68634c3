"""Samples of one parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.buffering.i_sample_data import ISampleData
from ma_dataplatforms_streaming_support_library.contracts.buffering.lazy_sequence import ValueSequence
from ma_dataplatforms_streaming_support_library.contracts.buffering.slide import Slide

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ma_dataplatforms_streaming_support_library.contracts.buffering.timestamp_value import TimestampValue

__all__ = ["SampleData"]


class SampleData(Slide, ISampleData):
    """Samples of one parameter within a slide of time."""

    __slots__ = ("_identifier", "_values")

    def __init__(
        self,
        data_source: str,
        session_key: str,
        identifier: str,
        start_time: int,
        end_time: int,
        values: Sequence[TimestampValue],
    ) -> None:
        """Keep samples, which are in order of time."""
        super().__init__(data_source, session_key, start_time, end_time)
        self._identifier = identifier
        self._values = values

    @property
    def identifier(self) -> str:
        """The parameter, event or error; ``Marker`` or ``CAN`` for those; empty for start and end."""
        return self._identifier

    @property
    def parameter_identifier(self) -> str:
        """The same as `identifier`."""
        return self._identifier

    @property
    def values(self) -> Sequence[TimestampValue]:
        """The values by time."""
        return self._values

    @property
    def timestamps(self) -> NDArray[np.uint64]:
        """Times of the values in ns since the Unix epoch, shape (n,), uint64; a reader's without a copy, read-only."""
        if isinstance(self._values, ValueSequence):
            return self._values.timestamps
        import numpy as np

        return np.array([value.timestamp for value in self.values], dtype=np.uint64)

    @property
    def samples(self) -> NDArray[np.float64]:
        """The values as doubles, shape (n,); NaN for all that is no number. A reader's doubles are not copied."""
        if isinstance(self._values, ValueSequence):
            return self._values.samples
        import numpy as np

        numbers = (value.cast(float) for value in self.values)
        return np.array([np.nan if number is None else number for number in numbers], dtype=np.float64)

    @property
    def statuses(self) -> NDArray[np.uint8]:
        """`ValueStatus` of the values as numbers, shape (n,), uint8; a reader's without a copy, read-only."""
        if isinstance(self._values, ValueSequence):
            return self._values.statuses
        import numpy as np

        return np.array([value.status for value in self.values], dtype=np.uint8)

    def described(self, name: str) -> str:
        """What it is, for people, under the name of a class."""
        return (
            f"{name}(data_source={self.data_source!r}, session_key={self.session_key!r}, "
            f"identifier={self.identifier!r}, start_time={self.start_time}, end_time={self.end_time}, "
            f"{len(self.values)} values)"
        )

    def __repr__(self) -> str:
        return self.described(type(self).__name__)
