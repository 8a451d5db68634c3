"""Nothing from outside steers a terminal, and what people type as times and speeds is understood or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from telewire.cli.text import ago, clock_ns, iso_ns, parse_since, parse_speed, safe

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "a\rb", "\x9b31m", "a\u202eb", "\x07", "\x7f", "\u2028"])
def test_control_characters_never_reach_a_terminal(text: str) -> None:
    shown = safe(text)
    assert shown.isprintable()
    assert shown.isascii()


def test_ordinary_text_is_left_alone_and_endless_text_is_cut() -> None:
    assert safe("Zandvoort · größe 速度") == "Zandvoort · größe 速度"
    assert len(safe("a" * 10_000)) < 500


def test_times_show_all_nine_decimals_and_any_number_is_shown() -> None:
    assert iso_ns(1_756_641_600_000_000_001) == "2025-08-31T12:00:00.000000001Z"
    assert clock_ns(1_756_641_600_125_000_000) == "12:00:00.125"
    assert iso_ns(2**64 - 1)
    assert clock_ns(2**64 - 1)


def test_since_is_a_span_or_a_time() -> None:
    assert parse_since("30m", NOW) == NOW - timedelta(minutes=30)
    assert parse_since("1.5h", NOW) == NOW - timedelta(minutes=90)
    assert parse_since("2026-01-30T10:00", NOW) == datetime(2026, 1, 30, 10, tzinfo=UTC)
    assert parse_since("2026-01-30T10:00+02:00", NOW) == datetime(2026, 1, 30, 8, tzinfo=UTC)
    with pytest.raises(ValueError):
        parse_since("yesterday", NOW)


def test_speed_is_a_factor_or_max() -> None:
    assert parse_speed("1x") == 1.0
    assert parse_speed("0.5x") == 0.5
    assert parse_speed("50") == 50.0
    assert parse_speed("max") is None
    for wrong in ("0x", "-1x", "fast", "nanx", ""):
        with pytest.raises(ValueError):
            parse_speed(wrong)


def test_ago_says_roughly_how_long() -> None:
    assert ago(NOW - timedelta(seconds=30), NOW) == "30 s ago"
    assert ago(NOW - timedelta(minutes=5), NOW) == "5 min ago"
    assert ago(NOW - timedelta(hours=5), NOW) == "5 h ago"
    assert ago(NOW + timedelta(hours=5), NOW) == "in the future"
    assert ago(None, NOW) == ""
