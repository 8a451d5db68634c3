"""What is made of the core's findings: states, grace, and forms for probes and dashboards."""

import json
from typing import Any

import pytest

from telewire.health import HealthState, ReaderState, StreamLag, Trouble, health_of, judged, reader_health
from telewire.metrics import TELEWIRE, Figure, to_text

S = 1_000_000_000
NOW = 1_000 * S


def found(**changes: Any) -> dict[str, Any]:
    """A client in good health, with changes."""
    calm = {
        "closed": False,
        "at_ns": NOW,
        "answered_ns": NOW,
        "silent_since_ns": None,
        "brokers": [{"address": "a:1", "id": 1, "up": True, "since_ns": 5 * S, "last_error": None}],
        "writers": None,
        "readers": [],
        "directory_error": None,
    }
    return calm | changes


def reader(**changes: Any) -> dict[str, Any]:
    queue = ("queued", "queued_bytes", "limit", "limit_bytes")
    counters = ("packets", "bytes", "undecodable", "skipped", "foreign", "lost", "retried")
    base: dict[str, Any] = dict.fromkeys((*queue, *counters, "since_ns"), 0)
    base |= {"number": 1, "what": "session k", "essentials": False, "state": "reading", "lags": []}
    return base | {"read": [], "delivered": [], "last_error": None} | changes


def state_of(troubles: list[Trouble], grace_s: float = 60.0) -> HealthState:
    verdict = judged(troubles, NOW, grace_s)
    return HealthState.HEALTHY if verdict is None else verdict[0]


def test_a_trouble_within_the_grace_period_is_no_reason_to_act() -> None:
    bounce = Trouble(NOW - 3 * S, "a broker is started again")
    assert state_of([]) is HealthState.HEALTHY
    assert state_of([bounce]) is HealthState.DEGRADED
    assert state_of([bounce], grace_s=2) is HealthState.UNHEALTHY
    rebalance = health_of(
        found(readers=[reader(state="rebalancing", since_ns=NOW - 45 * S)]), grace_s=60, well_since_ns=0, late={}
    )
    assert rebalance.ok
    assert rebalance.state is HealthState.DEGRADED
    assert "sharing its partitions anew" in rebalance.reason


def test_what_does_not_mend_itself_has_no_grace() -> None:
    failed = reader(state="failed", since_ns=NOW - 1, last_error=("the disk is full", NOW - 1))
    health = health_of(found(readers=[failed]), grace_s=60, well_since_ns=0, late={})
    assert health.state is HealthState.UNHEALTHY
    assert not health.ok
    assert health.since_ns == NOW - 1
    assert "the disk is full" in str(health)


def test_one_broker_of_several_that_is_away_for_long_is_told_and_nothing_to_act_on() -> None:
    brokers = [
        {"address": "a:1", "id": 1, "up": True, "since_ns": 5 * S, "last_error": None},
        {"address": "b:1", "id": 2, "up": False, "since_ns": 7 * S, "last_error": ("refused", 8 * S)},
    ]
    health = health_of(found(brokers=brokers), grace_s=60, well_since_ns=0, late={})
    assert (health.state, health.since_ns) == (HealthState.DEGRADED, 7 * S)
    assert "b:1 is away (refused)" in health.reason


def test_a_slow_program_is_no_fault_of_the_client() -> None:
    health = health_of(found(readers=[reader(state="paused")]), grace_s=0, well_since_ns=77, late={})
    assert (health.state, health.since_ns, health.reason) == (HealthState.HEALTHY, 77, "")


def test_packets_that_wait_for_long_are_a_trouble_since_the_oldest_was_written() -> None:
    counters = ("written", "bytes", "acknowledged", "failed")
    writers: dict[str, Any] = dict.fromkeys((*counters, "queued", "queued_bytes", "limit", "limit_bytes"), 9)
    for oldest_s, state in ((1, HealthState.HEALTHY), (10, HealthState.DEGRADED), (70, HealthState.UNHEALTHY)):
        more = {"retried": None, "oldest_ns": NOW - oldest_s * S, "last_error": None}
        health = health_of(found(writers=writers | more), grace_s=60, well_since_ns=0, late={})
        assert health.state is state
        assert health.writers is not None
        assert health.writers.oldest_unacknowledged_s == oldest_s


def test_lag_says_records_time_and_the_age_of_its_knowledge() -> None:
    lag = {"topic": "t", "partition": 0, "data_source": "d", "stream": "s", "position": 7}
    behind = lag | {"end": 10, "known_ns": NOW - 2 * S, "newest_ns": NOW - 30 * S}
    unknown = lag | {"partition": 1, "end": None, "known_ns": None, "newest_ns": None}
    beyond = lag | {"partition": 2, "end": 6, "known_ns": NOW, "newest_ns": NOW}
    health = reader_health(reader(lags=[unknown, beyond, behind]), NOW)
    assert health.lag == (
        StreamLag("t", 0, "d", "s", records=3, age_s=2.0, behind_s=30.0, position=7, end=10),
        StreamLag("t", 1, "d", "s", records=None, age_s=None, behind_s=None, position=7, end=None),
        StreamLag("t", 2, "d", "s", records=0, age_s=0.0, behind_s=None, position=7, end=6),
    )
    assert health.lag_records is None
    assert reader_health(reader(lags=[beyond, behind]), NOW).lag_records == 3


def test_how_full_the_buffer_is_goes_by_the_limit_that_is_nearer() -> None:
    assert reader_health(reader(queued=5, limit=10, queued_bytes=1, limit_bytes=100), NOW).fill == 0.5
    assert reader_health(reader(queued=5, queued_bytes=90, limit_bytes=100), NOW).fill == 0.9
    assert reader_health(reader(queued=5), NOW).fill == 0.0


def test_health_goes_into_json_with_plain_values() -> None:
    health = health_of(found(readers=[reader()]), grace_s=60, well_since_ns=0, late={1: 4})
    plain = json.loads(json.dumps(health.as_dict()))
    assert plain["ok"] is True
    assert plain["state"] == "healthy"
    assert plain["readers"][0]["state"] == ReaderState.READING.value
    assert plain["readers"][0]["late"] == 4
    assert plain["readers"][0] == health.readers[0].as_dict()


@pytest.mark.parametrize(
    ("value", "written"), [('a "b" \\ c', r"a \"b\" \\ c"), ("two\nlines", r"two\nlines"), ("a\rb", r"a\\rb")]
)
def test_labels_of_metrics_cannot_break_out_of_their_quotes(value: str, written: str) -> None:
    text = to_text([Figure("telewire_broker_up", (("broker", value),), 1)], TELEWIRE)
    assert text.splitlines()[-1] == f'telewire_broker_up{{broker="{written}"}} 1'


def test_a_figure_of_a_metric_that_nobody_described_is_refused() -> None:
    with pytest.raises(KeyError):
        to_text([Figure("telewire_nonsense", (), 1)], TELEWIRE)
