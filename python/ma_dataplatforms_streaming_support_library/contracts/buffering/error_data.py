"""An error among samples."""

from dataclasses import dataclass

__all__ = ["ErrorData", "IErrorData"]


@dataclass(frozen=True, slots=True)
class ErrorData:
    """An error that a unit reported.

    Attributes:
        timestamp: When it happened, ns since the Unix epoch.
        error_identifier: Which error.
        application_name: Application it belongs to.
        group: Group it belongs to.
        name: Its name.
        description: More text.
        type: Number of `open_data_pb2.ErrorType`.
        status: Number of `open_data_pb2.ErrorStatus`.
    """

    timestamp: int
    error_identifier: str
    application_name: str
    group: str
    name: str
    description: str
    type: int
    status: int


IErrorData = ErrorData
