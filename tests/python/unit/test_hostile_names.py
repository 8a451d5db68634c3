"""Names from outside cannot steer a terminal, forge a line of a log, or become markup, wherever they are shown."""

import logging
import re

import numpy as np
import pytest

import telewire
from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryError
from ma_dataplatforms_streaming_support_library.core.base.guarded_logger import GuardedLogger
from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger
from telewire import ParameterData, errors, logs, metrics
from telewire.metrics import Figure

HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "a\r\n2026-01-01 ERROR: forged",
    "\x9b31m",
    "abc\u202egnp.exe",
    "\u2066hidden\u2069",
    "\u2028next",
    "zero\u200bwidth",
    "\ud800",
    "[bold red]rich[/] [link=https://x.invalid]y[/link]",
    "<script>alert(1)</script>",
    "n" * 100_000,
]


def is_safe(text: str) -> bool:
    return text.isprintable() and len(text) < 10_000


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_are_printable_wherever_an_error_shows_them(name: str) -> None:
    for made in (
        errors.from_core("session", "unknown_session", f"session '{name}' not found"),
        telewire.ConfigError(f"unknown setting '{name}'"),
        telewire.KafkaError(name, kafka_code="X"),
        telewire.DecodeError(name),
        telewire.TimeoutError(name),
        SupportLibraryError(name, "SL-CFG-002"),
    ):
        assert is_safe(str(made)), repr(made)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_are_printable_in_representations_and_html(name: str) -> None:
    data = ParameterData(name, np.arange(2, dtype=np.int64), np.arange(2.0), None, telewire.Parameter(name, units=name))
    assert is_safe(repr(data))
    html = data._repr_html_()
    assert is_safe(html)
    assert "<script" not in html


@pytest.mark.parametrize("name", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_a_line_of_the_log_stays_one_line_without_control_characters(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "telewire"):
        logs._emit(2, "telewire::stream::feed", f"session '{name}' does not exist", 0.0, "native", [("session", name)])
    (record,) = caplog.records
    assert is_safe(record.getMessage())
    assert is_safe(record.__dict__["session"])


@pytest.mark.parametrize("name", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_the_drop_in_logger_gets_no_control_characters_and_no_forged_lines(name: str) -> None:
    lines: list[str] = []

    class Kept(ILogger):
        def debug(self, message: str) -> None:
            lines.append(message)

        info = warning = error = debug

    GuardedLogger(Kept()).error(f"session '{name}' begins")
    (message,) = lines
    first, *further = message.split("\n")
    assert first.isprintable()
    assert all(line.isprintable() and line.startswith("    ") for line in further)


def test_labels_of_metrics_cannot_end_early() -> None:
    for name in HOSTILE[:-1]:
        text = metrics.to_text(
            [Figure("stream_api_sessions_total", (("data_source", f'{name}"}} 1\nforged_metric 2'),), 1)],
            metrics.STREAM_API,
        )
        help_line, type_line, series = text.splitlines()
        assert help_line.startswith("# HELP")
        assert type_line.startswith("# TYPE")
        assert is_safe(series)
        assert re.fullmatch(r'stream_api_sessions_total\{data_source="(?:[^"\\]|\\["\\n])*"\} 1', series), series


def test_markup_in_names_is_text_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from telewire.cli.tables import name_text, table

    shown = table("identifier")
    for name in HOSTILE[:-1]:
        shown.add_row(name_text(name))
    Console(highlight=False, width=250).print(shown)
    printed = capsys.readouterr().out
    assert "[bold red]rich[/] [link=https://x.invalid]y[/link]" in printed
    assert all(line.isprintable() for line in printed.splitlines())


def test_ordinary_names_are_shown_as_they_are() -> None:
    for name in ("Zandvoort · größe 速度", "vCar:Chassis", 'it\'s "C:\\x"', "सत्र"):
        assert telewire.printable(name) == name
    assert telewire.printable("a" * 401) == "a" * 400 + "…"
    assert telewire.printable("a" * 400) == "a" * 400
