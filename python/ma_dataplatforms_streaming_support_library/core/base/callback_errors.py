"""Callbacks that raised: logged with their traceback, counted, never fatal."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.core.base.guarded_logger import GuardedLogger

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger

__all__ = ["CallbackErrors"]


class CallbackErrors:
    """Reports the exceptions of one service's callbacks through its logger.

    Args:
        service: Names the service in the log.
        logger: Where they are logged.
    """

    def __init__(self, service: str, logger: ILogger) -> None:
        self._service = service
        self._logger = GuardedLogger.of(logger)
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
        self._logger.error(f"{self._service}: {what} raised {type(error).__name__}: {error}\n{trace}")
