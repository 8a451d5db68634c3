"""From a configuration to a connection: what telewire is told, and how often it is tried."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import telewire
from ma_dataplatforms_streaming_support_library.contracts.shared.error_code import ErrorCode
from ma_dataplatforms_streaming_support_library.contracts.shared.retry_mode import RetryMode
from ma_dataplatforms_streaming_support_library.core.base import failures
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryError
from ma_dataplatforms_streaming_support_library.core.base.kafka_configuration import kafka_configuration

if TYPE_CHECKING:
    from collections.abc import Callable

    from ma_dataplatforms_streaming_support_library.contracts.shared.retry_policy import RetryPolicy
    from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
        StreamingApiConfiguration,
    )
    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger

__all__ = ["connect"]

# Limit of one attempt, as the platform's own server has it, and the pause where no policy says another one.
_ATTEMPT_S: Final = 2.0
_PAUSE_S: Final = 1.0
# Foreign readers take the end offsets of a session for the last word; late packets of other writers get this long.
_QUIET_S: Final = 1.0


def connect(
    configuration: StreamingApiConfiguration,
    logger: ILogger,
    policy: RetryPolicy | None,
    wait_for_stop: Callable[[float], bool],
) -> telewire.Client:
    """Connect, as often as the policy says.

    Without a policy it is tried every second until `timeout_seconds` are over. Only a broker that does not answer is
    tried again; one that refuses who we are, or a setting that cannot be used, is final.

    Args:
        configuration: Which brokers, and how to use them.
        logger: Told of each attempt that failed.
        policy: How often, or None.
        wait_for_stop: Waits for so many seconds, and says whether the library is to be stopped meanwhile.

    Raises:
        Failure: No broker could be reached, or it refused; a file or a setting is wrong; it was stopped meanwhile.
    """
    settings = _settings(configuration, logger)
    begin = time.monotonic()
    attempts = 0
    while True:
        limit_s = _ATTEMPT_S
        if policy is None:
            limit_s = max(min(limit_s, begin + configuration.timeout_seconds - time.monotonic()), 0.1)
        attempts += 1
        try:
            return telewire.connect(config=replace(settings, connect_timeout_s=limit_s))
        except telewire.ConfigError as error:
            raise failures.unusable_setting(error) from error
        except (telewire.KafkaError, telewire.TimeoutError) as error:
            if error.code == "authentication":
                raise
            unreachable = failures.broker_unreachable(configuration.broker_list, attempts, error)
        pause_s = _pause_s(policy, attempts, configuration.timeout_seconds - (time.monotonic() - begin))
        if pause_s is None:
            raise unreachable
        logger.warning(f"{unreachable.message}; trying again in {pause_s:g} s")
        if wait_for_stop(pause_s):
            raise failures.initialise_called_off(configuration.broker_list)


def _pause_s(policy: RetryPolicy | None, attempts: int, left_s: float) -> float | None:
    """Seconds until the next attempt, or None if that was the last."""
    if policy is None:
        return _PAUSE_S if left_s > _PAUSE_S else None
    if policy.retry_mode is RetryMode.FINITE and attempts > policy.max_retry_count:
        return None
    return policy.delay_between_retries.total_seconds()


def _settings(configuration: StreamingApiConfiguration, logger: ILogger) -> telewire.Config:
    # Only what the program says: variables and files meant for telewire's own programs do not reach into this one.
    try:
        settings = kafka_configuration(configuration)
    except SupportLibraryError as error:
        raise failures.Failure(ErrorCode(error.error_code), error.message) from error
    for warning in settings.warnings:
        logger.warning(warning)
    return replace(settings.config, quiet_s=_QUIET_S)
