"""Sessions: create, change, end, list and watch them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.contracts.shared.i_service import IService

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_association_info import (
        SessionAssociationInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_creation_info import (
        SessionCreationInfo,
    )
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_detail import SessionDetails
    from ma_dataplatforms_streaming_support_library.contracts.session_management.session_info import SessionInfo
    from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
    from ma_dataplatforms_streaming_support_library.core.base.event import Event

__all__ = ["ISessionManagementService"]


class ISessionManagementService(IService):
    """Sessions of all data sources.

    `start` reads what sessions there are; that raises no events. From then on the events tell what changes, whoever
    changes it, in the order started, changed, ended for each session. Every call that changes a session returns it as
    it is afterwards.

    All calls answer with a failed result when the service is not started (``SL-STATE-001`` to ``-003``), when session
    management is switched off (``SL-SES-002``), for an empty data source or key (``SL-ARG-001``), and when the broker
    does not acknowledge in time (``SL-SES-003``).
    """

    live_session_started: Event[SessionInfo]
    """A session has started since this service was started."""
    live_session_state_change: Event[SessionInfo]
    """Identifier, type, version, details or associates of a live session have changed."""
    live_session_ended: Event[SessionInfo]
    """A live session has ended; `SessionInfo.historical` is already true."""
    new_association_detected: Event[SessionAssociationInfo]
    """A session was associated with another one; waits until both are known."""

    @abstractmethod
    def get_all_sessions(self) -> ApiResult[list[SessionInfo]]:
        """Live and historic sessions of all data sources, by creation time."""

    @abstractmethod
    def get_sessions(self, data_source: str) -> ApiResult[list[SessionInfo]]:
        """Live and historic sessions of one data source, by creation time."""

    @abstractmethod
    def create_new_session(self, session_creation_info: SessionCreationInfo) -> ApiResult[SessionInfo]:
        """Start a session under a new unique key."""

    @abstractmethod
    def end_session(self, data_source: str, session_key: str) -> ApiResult[SessionInfo]:
        """End a session, after everything that this library's writers hold has been delivered.

        Returns:
            The ended session, also when it had ended before; ``SL-SES-001`` for an unknown one, ``SL-WR-003`` when
            packets could not be delivered in time.
        """

    @abstractmethod
    def get_session_info(self, data_source: str, session_key: str) -> ApiResult[SessionInfo]:
        """What is known of a session; ``SL-SES-001`` if it is not one of this data source."""

    @abstractmethod
    def update_identifier(self, data_source: str, session_key: str, new_identifier: str) -> ApiResult[SessionInfo]:
        """Give a session another identifier; an empty one changes nothing."""

    @abstractmethod
    def update_session_details(
        self, data_source: str, session_key: str, session_details: SessionDetails
    ) -> ApiResult[SessionInfo]:
        """Add details and replace those of the same name; none are removed."""

    @abstractmethod
    def add_associate_session(
        self, data_source: str, session_key: str, adding_associate_key: str
    ) -> ApiResult[SessionInfo]:
        """Say that another session, which need not be known yet, belongs to this one."""
