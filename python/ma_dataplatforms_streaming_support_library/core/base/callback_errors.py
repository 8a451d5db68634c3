"""Callbacks that raised: logged with their traceback, counted, never fatal."""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from typing import TYPE_CHECKING, Final

from ma_dataplatforms_streaming_support_library.core.base.guarded_logger import GuardedLogger
from ma_dataplatforms_streaming_support_library.core.base.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger

__all__ = ["CallbackErrors"]

# Of one kind, so many are logged one by one; of what follows, one a second.
_ONE_BY_ONE: Final = 10
_INTERVAL_S: Final = 1.0


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
        self._limit = RateLimit(_INTERVAL_S)
        self._of_kind: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many there were, for ``support_lib_handler_errors_total``."""
        return self._count

    def report(self, what: str, error: BaseException) -> None:
        """Log and count one; `what` names the callback and its occasion."""
        self._counted()
        self._log(what, error)

    def report_often(self, what: str, error: BaseException) -> None:
        """`report` for callbacks that are called so often that the log could not take all of them.

        What was raised in the same place is of one kind, whatever the occasion.
        """
        kind = _kind(error)
        with self._lock:
            self._of_kind[kind] += 1
            one_by_one = self._of_kind[kind] <= _ONE_BY_ONE
        self._counted()
        told = 1 if one_by_one else self._limit.allows(kind)
        if told:
            self._log(what, error, f" (and {told - 1} more that were not logged)" if told > 1 else "")

    def _counted(self) -> None:
        with self._lock:
            self._count += 1

    def _log(self, what: str, error: BaseException, others: str = "") -> None:
        trace = "".join(traceback.format_exception(error)).rstrip()
        self._logger.error(f"{self._service}: {what} raised {type(error).__name__}: {error}{others}\n{trace}")


def _kind(error: BaseException) -> Hashable:
    """The exception's type and the place where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (type(error), None if trace is None else (trace.tb_frame.f_code, trace.tb_lineno))
