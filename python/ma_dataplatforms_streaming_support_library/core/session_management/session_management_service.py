"""Creating, changing, ending and watching sessions."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, cast

import telewire
from ma_dataplatforms_streaming_support_library.contracts.session_management.i_session_management_service import (
    ISessionManagementService,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_association_info import (
    SessionAssociationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
    SessionCreationInfo,
)
from ma_dataplatforms_streaming_support_library.contracts.session_management.session_detail import session_details
from ma_dataplatforms_streaming_support_library.core.base import failures
from ma_dataplatforms_streaming_support_library.core.base.failures import answers, require_text
from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure
from ma_dataplatforms_streaming_support_library.core.base.watching_service import WatchingService
from ma_dataplatforms_streaming_support_library.core.session_management.session_infos import session_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_detail import SessionDetails
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
    from ma_dataplatforms_streaming_support_library.core.base.dispatcher import Dispatcher
    from ma_dataplatforms_streaming_support_library.core.base.event import Event
    from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi

__all__ = ["SessionManagementService"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _operation(
    method: Callable[Concatenate[SessionManagementService, _P], _T],
) -> Callable[Concatenate[SessionManagementService, _P], ApiResult[_T]]:
    """`answers`, for a call that the configuration may have switched off and that waits for the broker's answer."""

    @functools.wraps(method)
    def operation(self: SessionManagementService, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        if not self.configuration.integrate_session_management:
            raise failures.session_management_disabled()
        try:
            return method(self, *args, **kwargs)
        except (telewire.TimeoutError, telewire.KafkaError) as error:
            if isinstance(error, telewire.TimeoutError) and error.code == "flush_timeout":
                raise failures.not_delivered(error.left, self.configuration.timeout_seconds) from error
            if isinstance(error, telewire.KafkaError) and error.code != "unreachable":
                raise
            raise failures.session_not_acknowledged(method.__name__, self.configuration.timeout_seconds) from error

    return answers(cast("Callable[Concatenate[SessionManagementService, _P], _T]", operation))


class SessionManagementService(WatchingService["telewire.SessionChange"], ISessionManagementService):
    """Sessions of all data sources; programs get it from `get_session_manager_api().create_service()`.

    Every answer is as of now: the session-info topic is read to its present end first. Events tell of what happens
    after `start`, whoever causes it, this service included, once each.
    """

    def __init__(self, library: SupportLibraryApi) -> None:
        super().__init__("session management", library, "telewire-session-events")
        self.live_session_started: Event[SessionInfo] = self.event("live_session_started")
        self.live_session_state_change: Event[SessionInfo] = self.event("live_session_state_change")
        self.live_session_ended: Event[SessionInfo] = self.event("live_session_ended")
        self.new_association_detected: Event[SessionAssociationInfo] = self.event("new_association_detected")
        self._sources: dict[str, str] = {}
        self._old_associations: frozenset[tuple[str, str]] = frozenset()

    # Operations

    @_operation
    def get_all_sessions(self) -> list[SessionInfo]:
        """The sessions of all data sources, live and historic, oldest first."""
        return [session_info(found) for found in self.client.sessions()]

    @_operation
    def get_sessions(self, data_source: str) -> list[SessionInfo]:
        """The sessions of one data source, oldest first."""
        return [session_info(found) for found in self.client.sessions(require_text("data_source", data_source))]

    @_operation
    def get_session_info(self, data_source: str, session_key: str) -> SessionInfo:
        """One session."""
        return session_info(self._find(data_source, session_key))

    @_operation
    def create_new_session(self, session_creation_info: SessionCreationInfo) -> SessionInfo:
        """Create a session and write its record; it is acknowledged when this returns."""
        if not isinstance(session_creation_info, SessionCreationInfo):
            raise TypeError(
                f"session_creation_info must be a SessionCreationInfo, not {type(session_creation_info).__name__}"
            )
        info = session_creation_info
        created = self.client.register_session(
            require_text("data_source", info.data_source),
            identifier=info.identifier,
            type=info.type or "Session",
            version=info.version,
            utc_offset=info.utc_offset,
            details={detail.key: detail.value for detail in info.details},
            associates=info.associate_session_keys,
            created=info.creation_time,
        )
        self.logger.info(f"session '{created.key}' of data source '{created.data_source}' created")
        return session_info(created)

    @_operation
    def update_identifier(self, data_source: str, session_key: str, new_identifier: str) -> SessionInfo:
        """Give a session another name for people; an empty one changes nothing."""
        if not isinstance(new_identifier, str):
            raise TypeError(f"new_identifier must be a str, not {type(new_identifier).__name__}")
        before = self._find(data_source, session_key)
        if not new_identifier or new_identifier == before.identifier:
            return session_info(before)
        self._warn_if_ended(before)
        return session_info(self.client.update_identifier(session_key, new_identifier))

    @_operation
    def update_session_details(
        self, data_source: str, session_key: str, session_details: SessionDetails
    ) -> SessionInfo:
        """Add or replace details of a session; none is ever removed."""
        details = _details(session_details)
        before = self._find(data_source, session_key)
        if all(before.details.get(key) == value for key, value in details.items()):
            return session_info(before)
        self._warn_if_ended(before)
        return session_info(self.client.update_details(session_key, details))

    @_operation
    def add_associate_session(self, data_source: str, session_key: str, adding_associate_key: str) -> SessionInfo:
        """Associate another session with a session; the other one need not be known yet."""
        require_text("adding_associate_key", adding_associate_key)
        before = self._find(data_source, session_key)
        if adding_associate_key in before.associates:
            return session_info(before)
        self._warn_if_ended(before)
        return session_info(self.client.add_associate(session_key, adding_associate_key))

    @_operation
    def end_session(self, data_source: str, session_key: str) -> SessionInfo:
        """End a session: deliver what the library's writers have queued, then write the end."""
        before = self._find(data_source, session_key)
        if not before.live:
            return session_info(before)
        ended = self.client.end_session(session_key)
        self.library.get_writing_packet_api().session_ended(session_key)
        self.logger.info(f"session '{session_key}' of data source '{before.data_source}' ended")
        return session_info(ended)

    def _find(self, data_source: str, session_key: str) -> telewire.SessionInfo:
        require_text("data_source", data_source)
        require_text("session_key", session_key)
        try:
            found = self.client.session(session_key)
        except telewire.SessionError as error:
            raise failures.unknown_session(session_key, data_source) from error
        if found.data_source != data_source:
            raise failures.unknown_session(session_key, data_source)
        return found

    def _warn_if_ended(self, info: telewire.SessionInfo) -> None:
        if not info.live:
            self.logger.warning(f"session '{info.key}' has ended; its information is changed all the same")

    # Life cycle

    def on_start(self) -> None:
        """Read what there is, and follow what comes."""
        if not self.configuration.integrate_session_management:
            self.logger.warning(f"{self.what}: disabled by configuration; every call will fail")
            return
        watch = self.client.watch_sessions()
        try:
            known = self.client.sessions()
        except BaseException:
            watch.close()
            raise
        self._sources = {info.key: info.data_source for info in known}
        self._old_associations = frozenset((info.key, key) for info in known for key in info.associates)
        self.follow(watch)

    def figures(self) -> Iterable[Figure]:
        """Errors, and the sessions of each data source."""
        yield from super().figures()
        counts: dict[str, int] = {}
        for source in list(self._sources.values()):
            counts[source] = counts.get(source, 0) + 1
        for source, count in counts.items():
            yield Figure("stream_api_sessions_total", (("data_source", source),), count)

    def on_change(self, dispatcher: Dispatcher, change: telewire.SessionChange) -> None:
        """Raise the event that tells of it."""
        session = change.session
        match change.kind:
            case "started":
                self._sources[session.key] = session.data_source
                dispatcher.call("live_session_started", self.live_session_started.fire, session_info(session))
            case "updated" if session.live:
                dispatcher.call("live_session_state_change", self.live_session_state_change.fire, session_info(session))
            case "ended":
                dispatcher.call("live_session_ended", self.live_session_ended.fire, session_info(session))
            case "associated" if change.associate_session is not None:
                if (session.key, change.associate_session.key) not in self._old_associations:
                    association = SessionAssociationInfo(session_info(session), session_info(change.associate_session))
                    dispatcher.call("new_association_detected", self.new_association_detected.fire, association)


def _details(given: SessionDetails) -> dict[str, str]:
    return {detail.key: detail.value for detail in session_details(given)}
