"""A merger: packets and events in, windows and events out, for programs that read packets themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from telewire import _core
from telewire.window import Window
from telewire.windows import MergeCounts

if TYPE_CHECKING:
    from telewire.metadata import Definitions
    from telewire.reader import ReaderEvent

__all__ = ["Merger"]


class Merger:
    """Brings the samples of packets into the order of their times; get it from `Client.merger`.

    It is fed with what `Reader.fetch_items` gives, keeps one buffer for each session, and gives out windows as
    `Reader.windows` does. One thread pushes; everything that asks may be called from any.

        >>> merger = client.merger(length="1s")  # doctest: +SKIP
        >>> while (items := reader.fetch_items()) is not None:  # doctest: +SKIP
        ...     for item in merger.push(items):
        ...         if isinstance(item, telewire.Window):
        ...             print(item.start_ns, len(item))
    """

    def __init__(self, core: _core.Merger, definitions_of: Callable[[str], Definitions]) -> None:
        self._core = core
        self._definitions_of = definitions_of
        self._definitions: dict[str, Definitions] = {}

    @property
    def length_ns(self) -> int:
        """How long samples are waited for, in ns of their own time."""
        return self._core.length_ns

    @property
    def slide_ns(self) -> int:
        """How long a window is, in ns."""
        return self._core.slide_ns

    def push(self, items: Sequence[_core.Packet | ReaderEvent]) -> list[Window | ReaderEvent]:
        """Take packets and events in their order.

        Packets that are neither samples nor included otherwise only pass by. Data formats are looked up where needed; a
        packet whose format nobody has defined yet is kept until its window is due.

        Returns:
            The windows that became complete and the events, in order. Before a ``session_completed`` event come all
            windows that the session still had in the buffer.

        Raises:
            ClosedError: The client was closed, and a data format has to be looked up.
            ConfigError: An item is neither packet nor event; none of the items was taken.
        """
        return [found for piece in self._core.push(list(items)) if (found := self._item(piece)) is not None]

    def finish(self, session_key: str | None = None) -> list[Window]:
        """End sessions without an event: the windows that are still in the buffer.

        Args:
            session_key: The session; None for all of them.
        """
        pieces = self._core.finish(session_key)
        windows = [Window(piece, self.definitions(piece.session_key)) for piece in pieces]
        self._forget(session_key)
        return windows

    def drop(self, session_key: str | None = None) -> None:
        """End sessions without handing out what is in the buffer; it is counted as dropped.

        Args:
            session_key: The session; None for all of them.
        """
        self._core.drop(session_key)
        self._forget(session_key)

    def frontier_ns(self, session_key: str) -> int | None:
        """Where the next window of a session begins: everything before it was handed out. None before the first."""
        return self._core.frontier_ns(None, session_key)

    def last_times(self, data_source: str, session_key: str) -> dict[str, int]:
        """The highest time seen on each stream of a session, in ns, also after its end; empty if it was not met."""
        return self._core.last_times(data_source, session_key)

    def counts(self, data_source: str | None = None, session_key: str | None = None) -> MergeCounts:
        """Totals so far, of all sessions or of those of a data source, or of one session."""
        return MergeCounts(*self._core.counts(data_source, session_key))

    def late_by_stream(self) -> dict[tuple[str, str], int]:
        """Late samples by (data source, stream)."""
        return self._core.late_by_stream()

    def unresolved(self) -> dict[str, int]:
        """Packets that were dropped because nobody had defined their data format, by data source."""
        return self._core.unresolved()

    def handled(self) -> list[tuple[str, int, int]]:
        """With `grouped`: what may be stored now, as (topic, partition, offset) for `Reader.store_position`.

        A packet counts once all its samples are in windows that earlier calls of `push` or `finish` have returned, and
        once that holds for all packets before it in its partition. ``push([])`` says that everything returned so far
        was handled.
        """
        return self._core.handled()

    def definitions(self, session_key: str) -> Definitions:
        """What the configurations of a session say of its parameters."""
        found = self._definitions.get(session_key)
        if found is None:
            found = self._definitions[session_key] = self._definitions_of(session_key)
        return found

    def _item(self, piece: _core.Window | _core.Packet | ReaderEvent) -> Window | ReaderEvent | None:
        if isinstance(piece, _core.Window):
            return Window(piece, self.definitions(piece.session_key))
        if isinstance(piece, _core.Packet):
            # A configuration, which says what the parameters are.
            self.definitions(piece.session_key).add(piece.content)
            return None
        if piece.kind == "session_completed":
            self._forget(piece.session_key)
        return piece

    def _forget(self, session_key: str | None) -> None:
        if session_key is None:
            self._definitions.clear()
        else:
            self._definitions.pop(session_key, None)
