"""Reading the essential packets of a session: configuration, markers, and whatever was written as essential."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from ma_dataplatforms_streaming_support_library.contracts.essentials.i_essentials_service import IEssentialsService
from ma_dataplatforms_streaming_support_library.core.packet_reading.reader_service import ReaderService
from ma_dataplatforms_streaming_support_library.core.session_management.session_infos import session_info

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from ma_dataplatforms_streaming_support_library.core.base.event import Event
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
    from telewire import Reader, ReaderEvent

__all__ = ["EssentialsService"]

_GRACE_S: Final = 0.1


class EssentialsService(ReaderService, IEssentialsService):
    """Reads the essential packets of one session to its end; programs get it from `get_essentials_api`.

    Each packet comes as it was written, with the stream ``""``: what was written on several streams comes once for
    each, and parts of a configuration are not put together. Data formats are not here, because they belong to no
    session: they are the data format service's.

    Args:
        library: Who made it.
        data_source: The session's data source.
        session_key: The session.
    """

    counted_as: ClassVar[str] = "essential"
    labels_streams: ClassVar[bool] = False

    def __init__(self, library: SupportLibraryApi, data_source: str, session_key: str) -> None:
        super().__init__("essentials reader", library, data_source, grace_s=_GRACE_S)
        self._session_key = session_key
        self.reading_essentials_started: Event[SessionInfo] = self.event("reading_essentials_started")
        self.reading_essentials_completed: Event[SessionInfo] = self.event("reading_essentials_completed")

    @property
    def data_source(self) -> str:
        """The session's data source."""
        return self._data_source

    @property
    def session_key(self) -> str:
        """The session."""
        return self._session_key

    def open_reader(self, buffer_packets: int) -> Reader:
        """Begin reading the session's essentials."""
        return self.client.read_essentials(
            self._session_key, data_source=self._data_source, buffer_bytes=0, buffer_packets=buffer_packets
        )

    def on_reader_event(self, event: ReaderEvent) -> None:
        """Raise the event that tells of it; streams there are none."""
        if event.kind == "session_started" and event.session is not None:
            self.logger.info(f"{self.what}: session '{self._session_key}' begins")
            self.reading_essentials_started.fire(session_info(event.session))
        elif event.kind == "session_completed" and event.session is not None:
            self.logger.info(f"{self.what}: session '{self._session_key}' is complete")
            self.reading_essentials_completed.fire(session_info(event.session))
