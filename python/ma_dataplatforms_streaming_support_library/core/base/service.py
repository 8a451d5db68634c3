"""The life cycle that the library and all its services share: created, initialised, started, stopped.

States and what each call does in them:

============== =========== =============== ============== ============ =====================
call           CREATED     INITIALISED     STARTED        STOPPED      FAILED
============== =========== =============== ============== ============ =====================
`initialise`   runs        nothing to do   nothing to do  raises       runs again
`start`        raises      runs            nothing to do  raises       answers with a failure
`stop`         STOPPED     STOPPED         runs, STOPPED  nothing      STOPPED
============== =========== =============== ============== ============ =====================

`FAILED` follows an `initialise` without success. `start` does not raise there, because programs call both without
looking and check only whether `create_service` succeeded.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import threading
import time
import uuid
from abc import abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import telewire
from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
from ma_dataplatforms_streaming_support_library.contracts.shared.i_service import IService
from ma_dataplatforms_streaming_support_library.core.base.callback_errors import CallbackErrors
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryError, SupportLibraryStateError
from ma_dataplatforms_streaming_support_library.core.base.event import Event
from ma_dataplatforms_streaming_support_library.core.base.failures import Failure, forked, from_telewire
from ma_dataplatforms_streaming_support_library.core.base.guarded_logger import GuardedLogger
from ma_dataplatforms_streaming_support_library.core.base.metrics import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger

__all__ = ["Service", "State"]

# How much longer than one's own deadline one waits for somebody else's stop.
_OTHERS_S: Final = 0.5


class State(enum.Enum):
    """Where in its life a service is."""

    CREATED = "created"
    INITIALISED = "initialised"
    STARTED = "started"
    STOPPED = "stopped"
    FAILED = "failed"


class Service(IService):
    """Runs the state machine; a service says in `on_initialise`, `on_start` and `on_stop` what is done in each step.

    Each step runs without a lock held and at most once at a time. The life-cycle events are raised once each, after the
    change of state, on the thread that caused it.

    Args:
        what: Names the service in messages, such as ``packet writer``.
        logger: Where it reports.
        stop_s: Time in seconds that `stop` may take.
    """

    def __init__(self, what: str, logger: ILogger, stop_s: float) -> None:
        self._what = what
        self._logger = GuardedLogger.of(logger)
        self._stop_s = stop_s
        self._process = os.getpid()
        self._id = uuid.uuid4()
        self._state = State.CREATED
        self._reason = ""
        self._changed = threading.Condition()
        # The threads that initialise or start it, and that stop it, at this moment.
        self._stepping: int | None = None
        self._ending: int | None = None
        self._stop_begun = threading.Event()
        self._stop_result: ApiResult[bool] | None = None
        self._events: list[Event[Any]] = []
        self.callback_errors = CallbackErrors(what, logger)
        self.initialised: Event[datetime] = Event(self, "initialised", self.callback_errors.report)
        self.started: Event[datetime] = Event(self, "started", self.callback_errors.report)
        self.stopped: Event[datetime] = Event(self, "stopped", self.callback_errors.report)

    # What a service does

    @abstractmethod
    def on_initialise(self) -> None:
        """Prepare.

        Raises:
            Failure: It cannot be used; `initialise` answers with it.
        """

    @abstractmethod
    def on_start(self) -> None:
        """Begin.

        Raises:
            Failure: It did not begin; `start` answers with it and may be called again.
        """

    @abstractmethod
    def on_stop(self, deadline: float) -> str:
        """End, by `deadline` (of `time.monotonic`): drain, flush, release.

        Called once, and not if `initialise` was never called; it may have failed.

        Returns:
            What could not be ended in time, for people; empty if all is well.

        Raises:
            Failure: The same, where it has a code of its own.
        """

    def event(self, name: str) -> Event[Any]:
        """A new event of this service, which falls silent with it."""
        self._events.append(Event(self, name, self.callback_errors.report))
        return self._events[-1]

    def __setattr__(self, name: str, value: object) -> None:
        event = self.__dict__.get(name)
        if isinstance(event, Event) and value is not event:
            raise TypeError(f"{name} is an event and is not replaced; subscribe with {name}.subscribe(handler) or +=")
        object.__setattr__(self, name, value)

    def in_callback(self) -> bool:
        """Whether the caller is in a callback of this service; it then cannot wait for that callback to end."""
        return False

    def call_no_more(self) -> None:
        """Call nothing any more but the events of the life cycle; a callback that runs is left alone."""
        for event in self._events:
            event.silence()

    def call_after_stop_inside(self) -> bool:
        """Whether callbacks still come when one of them has called `stop`; otherwise that one is the last."""
        return False

    def wait_until_started(self) -> None:
        """For its own thread: callbacks come when `start` has done its work, so that they can use the service."""
        with self._changed:
            self._changed.wait_for(lambda: self._stepping is None)

    def figures(self) -> Iterable[Figure]:
        """What there is to measure, as of now; called on any thread. Counters never go back."""
        yield Figure("support_lib_handler_errors_total", (("service", self._what),), self.callback_errors.count)

    # What everybody may ask

    @property
    def id(self) -> uuid.UUID:
        """Identity of this service object."""
        return self._id

    @property
    def logger(self) -> GuardedLogger:
        """Where it reports; calling it never raises."""
        return self._logger

    @property
    def what(self) -> str:
        """What kind of service it is, for people."""
        return self._what

    @property
    def state(self) -> State:
        """Where in its life it is."""
        return self._state

    @property
    def is_initialised(self) -> bool:
        """Whether it was initialised and not stopped."""
        return self._state in (State.INITIALISED, State.STARTED)

    @property
    def is_started(self) -> bool:
        """Whether it runs."""
        return self._state is State.STARTED

    @property
    def stop_begun(self) -> bool:
        """Whether somebody has asked it to stop: what waits for long looks at this."""
        return self._stop_begun.is_set()

    def wait_for_stop(self, timeout_s: float) -> bool:
        """Wait until somebody asks it to stop, at most `timeout_s` seconds; whether somebody has."""
        return self._stop_begun.wait(timeout_s)

    def require_started(self) -> None:
        """Refuse to work in any state but STARTED.

        Raises:
            Failure: The state forbids it, and which.
        """
        if self._state is not State.STARTED or self.elsewhere is not None:
            raise self.refusal()

    @property
    def elsewhere(self) -> Failure | None:
        """Why it cannot be used in this process, if it is a forked child of the one that made it.

        Asked without a lock: one that a thread of the parent held is never released here.
        """
        return None if os.getpid() == self._process else forked(self._what, self._process)

    def refusal(self) -> Failure:
        """Why it cannot be used in its present state."""
        if (elsewhere := self.elsewhere) is not None:
            return elsewhere
        if self._state is State.STOPPED:
            return Failure(ErrorCode.STOPPED, f"{self._what} is stopped")
        if self._state is State.FAILED:
            return Failure(ErrorCode.INITIALISE_FAILED, f"{self._what} failed to initialise: {self._reason}")
        return Failure(ErrorCode.NOT_STARTED, f"{self._what} is not started")

    # The life cycle

    def initialise(self) -> ApiResult[bool]:
        """Prepare the service.

        Raises:
            SupportLibraryStateError: It was stopped; services are not used twice.
        """
        if (elsewhere := self.elsewhere) is not None:
            return ApiResult.failed(elsewhere.code, elsewhere.message)
        with self._changed:
            self._await_turn()
            self._refuse_after_stop("initialised")
            if self._state in (State.INITIALISED, State.STARTED):
                return ApiResult.ok(True)
            self._stepping = threading.get_ident()
        failure = self._step(self.on_initialise)
        with self._changed:
            self._stepping = None
            self._state = State.INITIALISED if failure is None else State.FAILED
            self._reason = "" if failure is None else failure.message
            self._changed.notify_all()
        if failure is not None:
            self._logger.error(f"{self._what}: {failure.message}")
            return ApiResult.failed(failure.code, failure.message)
        self._logger.debug(f"{self._what} initialised")
        self.initialised.fire(datetime.now(UTC))
        return ApiResult.ok(True)

    async def initialise_async(self) -> ApiResult[bool]:
        """`initialise`, awaited beside other tasks; it goes on when the task that waits for it is cancelled."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[ApiResult[bool]] = loop.create_future()

        def initialise() -> None:
            result: ApiResult[bool] | None = None
            failure: BaseException | None = None
            try:
                result = self.initialise()
            except BaseException as error:  # noqa: BLE001 - raised by whoever awaits it
                failure = error
            # The loop may have been closed meanwhile; then nobody waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, done, result, failure)

        # Not a thread of the loop's executor: Python waits for those when it exits, and attempts may have no end.
        threading.Thread(target=initialise, name=f"telewire-initialise-{self._what}", daemon=True).start()
        return await done

    def start(self) -> ApiResult[bool]:
        """Start the service.

        Raises:
            SupportLibraryStateError: It was not initialised, or it was stopped.
        """
        if (elsewhere := self.elsewhere) is not None:
            return ApiResult.failed(elsewhere.code, elsewhere.message)
        with self._changed:
            self._await_turn()
            if self._state is State.CREATED:
                raise SupportLibraryStateError(f"{self._what} is not initialised; call initialise() before start()")
            self._refuse_after_stop("started")
            if self._state is State.STARTED:
                return ApiResult.ok(True)
            if self._state is State.FAILED:
                refusal = self.refusal()
                return ApiResult.failed(refusal.code, refusal.message)
            self._stepping = threading.get_ident()
        failure = self._step(self.on_start)
        with self._changed:
            self._stepping = None
            if failure is None:
                self._state = State.STARTED
            self._changed.notify_all()
        if failure is not None:
            self._logger.error(f"{self._what}: {failure.message}")
            return ApiResult.failed(failure.code, failure.message)
        self._logger.info(f"{self._what} started")
        self.started.fire(datetime.now(UTC))
        return ApiResult.ok(True)

    def stop(self) -> ApiResult[bool]:
        """Stop the service; legal in every state, from every thread and from its own callbacks, any number of times.

        Returns when the service has come to rest, at most its termination time-out and a second later. In one of its
        own callbacks, and in a logger that it calls while it is initialised or started, it only marks the service and
        returns; the rest happens on a thread of its own. A callback that stops its service is the last one, except that
        sample readers still deliver what has arrived, and the end.
        """
        return self.stop_by(time.monotonic() + self._stop_s)

    def stop_by(self, deadline: float) -> ApiResult[bool]:
        """`stop`, by a moment of `time.monotonic`: the library gives all its services the same."""
        if (elsewhere := self.elsewhere) is not None:
            # There is nothing of it here that could be stopped.
            return ApiResult.failed(elsewhere.code, elsewhere.message)
        self._stop_begun.set()
        if self.in_callback():
            if not self.call_after_stop_inside():
                self.call_no_more()
            return self._stop_aside(deadline)
        if threading.get_ident() in (self._stepping, self._ending):
            # A logger, or an event of another service, was called in the midst of it.
            return self._stop_aside(deadline)
        with self._changed:
            patience = max(deadline - time.monotonic(), 0)
            in_time = self._changed.wait_for(lambda: self._stepping is None, patience)
            if in_time:
                before, self._state = self._state, State.STOPPED
                if before is State.STOPPED:
                    # It is done, or somebody else is at it, perhaps with a later deadline than ours.
                    self._changed.wait_for(lambda: self._stop_result is not None, patience + _OTHERS_S)
                    return self._stop_result or ApiResult.ok(True, "stopping")
        return self._come_to_rest(before, deadline) if in_time else self._stop_aside(deadline)

    def _stop_aside(self, deadline: float) -> ApiResult[bool]:
        # Whoever calls cannot wait for the end of what is under way: it is waited for on a thread of its own.
        with self._changed:
            before = self._state
            if before is State.STOPPED:
                return self._stop_result or ApiResult.ok(True, "stopping")
            begun = self._stepping is None
            if begun:
                self._state = State.STOPPED
        rest, arguments = (self._come_to_rest, (before, deadline)) if begun else (self.stop_by, (deadline,))
        try:
            threading.Thread(target=rest, args=arguments, name=f"telewire-stop-{self._what}", daemon=True).start()
        except RuntimeError:
            # The interpreter exits and starts no more threads; its exit hook stops this service.
            self._state = before
        return ApiResult.ok(True, "stopping")

    def _come_to_rest(self, before: State, deadline: float) -> ApiResult[bool]:
        result: ApiResult[bool] = ApiResult.failed(ErrorCode.STOPPED, "stopping was interrupted")
        self._ending = threading.get_ident()
        try:
            result = self._end(deadline) if before is not State.CREATED else ApiResult.ok(True)
        finally:
            self._ending = None
            with self._changed:
                self._stop_result = result
                self._changed.notify_all()
        if not result.success:
            self._logger.warning(f"{self._what}: stopped, but {result.message}")
        elif before is State.STARTED:
            self._logger.info(f"{self._what} stopped")
        self.stopped.fire(datetime.now(UTC))
        return result

    def _end(self, deadline: float) -> ApiResult[bool]:
        try:
            left = self.on_stop(deadline)
        except Failure as failure:
            return ApiResult.failed(failure.code, failure.message)
        except telewire.TelewireError as error:
            return ApiResult.failed(ErrorCode.STOPPED, str(error))
        except Exception as error:  # noqa: BLE001 - what else is to be stopped must be, whatever happens here
            self.callback_errors.report("stopping", error)
            return ApiResult.failed(ErrorCode.STOPPED, f"stopping raised {type(error).__name__}: {error}")
        return ApiResult.failed(ErrorCode.STOPPED, left) if left else ApiResult.ok(True)

    def _refuse_after_stop(self, what: str) -> None:
        # `stop` may have been called where it could not be done at once.
        if self._state is State.STOPPED or self.stop_begun:
            raise SupportLibraryStateError(f"{self._what} is stopped and cannot be {what} again; create another")

    def _await_turn(self) -> None:
        # The condition is held. A step that waits for long ends when `stop` is called.
        if self._stepping == threading.get_ident():
            raise SupportLibraryStateError(
                f"{self._what} is being initialised or started by the very thread that asks for it again; "
                "a logger must not call initialise() or start()"
            )
        self._changed.wait_for(lambda: self._stepping is None)

    def _step(self, step: Callable[[], None]) -> Failure | None:
        try:
            step()
        except Failure as failure:
            return failure
        except telewire.TelewireError as error:
            return from_telewire(error)
        except BaseException:
            # Ctrl-C in a long wait: the state stays what it was, and others get their turn.
            with self._changed:
                self._stepping = None
                self._changed.notify_all()
            raise
        return None

    def dispose(self) -> None:
        """Stop."""
        self.stop()

    def close(self) -> None:
        """Stop."""
        self.stop()

    def __enter__(self) -> Self:
        for step in (self.initialise, self.start):
            result = step()
            if not result.success:
                # Nobody will leave a block that was not entered.
                self.stop()
                raise SupportLibraryError(result.message, result.error_code)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state.value}>"


def _settle(
    done: asyncio.Future[ApiResult[bool]], result: ApiResult[bool] | None, failure: BaseException | None
) -> None:
    if done.cancelled():
        return
    if failure is not None:
        done.set_exception(failure)
    elif result is not None:
        done.set_result(result)
