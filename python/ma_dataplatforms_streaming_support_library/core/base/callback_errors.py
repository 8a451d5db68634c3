"""Callbacks that raised: logged with their traceback, counted, never fatal."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger

__all__ = ["CallbackErrors"]


class CallbackErrors:
    """Reports the exceptions of one service's callbacks through its logger.

    Args:
        service: Names the service in the log.
        logger: Anything with the methods of `ILogger`; what it raises itself is ignored.
    """

    def __init__(self, service: str, logger: ILogger) -> None:
        self._service = service
        self._logger = logger
        self._count = 0
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many there were, for ``support_lib_handler_errors_total``."""
        return self._count

    def report(self, what: str, error: BaseException) -> None:
        """Log and count one; `what` names the callback and its occasion."""
        with self._lock:
            self._count += 1
        trace = "".join(traceback.format_exception(error)).rstrip()
        try:
            self._logger.error(f"{self._service}: {what} raised {type(error).__name__}: {error}\n{trace}")
        except Exception:  # noqa: BLE001, S110 - a logger that fails has nowhere to be reported
            pass
