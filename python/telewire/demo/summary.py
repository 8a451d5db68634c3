"""What was written and what was read, as a table, a sentence, and a dictionary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from telewire.demo.ledger import Ledger
    from telewire.demo.run import Report

_KINDS: Final = {
    "PeriodicData": "periodic",
    "RowData": "row",
    "SynchroData": "synchro",
    "Event": "events",
    "Marker": "markers",
}


@dataclass(slots=True)
class _Line:
    """One stream and kind of packet in the three books: written, read live, read as history."""

    packets: list[int] = field(default_factory=lambda: [0, 0, 0])
    samples: list[int] = field(default_factory=lambda: [0, 0, 0])
    digests: list[list[dict[str, str]]] = field(default_factory=lambda: [[], [], []])

    @property
    def equal(self) -> bool:
        """Whether the three are the same, bit for bit."""
        return self.digests[0] == self.digests[1] == self.digests[2]


def _lines(books: tuple[Ledger, ...]) -> dict[tuple[str, str], _Line]:
    found: dict[tuple[str, str], _Line] = {}
    keys = dict.fromkeys(key for book in books for key in book.accounts)
    for key in sorted(keys, key=lambda key: (key[0], list(_KINDS).index(key[1]), key[2])):
        line = found.setdefault((key[0], key[1]), _Line())
        for index, book in enumerate(books):
            account = book.accounts.get(key)
            if account is not None:
                line.packets[index] += account.packets
                line.samples[index] += account.samples
                line.digests[index].append(account.digests())
    return found


def table(report: Report) -> Table:
    """One row a stream and kind of packet: written, read live, read again, and whether every bit is equal."""
    shown = Table(
        box=SIMPLE_HEAD, show_edge=False, padding=(0, 1), pad_edge=False, header_style="bold", collapse_padding=True
    )
    shown.add_column("stream", no_wrap=True)
    shown.add_column("kind", no_wrap=True)
    for heading in ("packets\nwritten", "read\nlive", "read\nagain", "samples\nwritten", "read\nlive", "read\nagain"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("bits\nequal", justify="center", no_wrap=True)
    lines = _lines((report.written, report.live, report.history))
    stream_before = None
    for (stream, kind), line in lines.items():
        samples = [f"{count:,}" for count in line.samples] if any(line.samples) else ["", "", ""]
        shown.add_row(
            "" if stream == stream_before else stream or "(main)",
            _KINDS[kind],
            *(f"{count:,}" for count in line.packets),
            *samples,
            "[green]✓[/]" if line.equal else "[bold red]✗[/]",
        )
        stream_before = stream
    shown.add_section()
    books = (report.written, report.live, report.history)
    shown.add_row(
        "all",
        "",
        *(f"{book.packets:,}" for book in books),
        *(f"{book.samples_count:,}" for book in books),
        "[bold red]✗[/]" if report.missing else "[green]✓[/]",
        style="bold",
    )
    return shown


def verdict(report: Report) -> str:
    """One sentence: whether anything is missing."""
    if report.missing:
        return f"{len(report.missing)} differences between what was written and what was read:"
    latency = report.latency_ms
    delay = "" if latency is None else f" Write to read: median {latency[0]:.1f} ms, 99 % below {latency[1]:.1f} ms."
    return (
        f"Nothing is missing: {report.written.samples_count:,} samples in {report.written.packets:,} packets came back "
        f"twice, live and as history, with every time, value and status equal bit for bit.{delay} "
        f"The history was read in {report.history_s:.2f} s."
    )


def as_dict(report: Report) -> dict[str, Any]:
    """The report for programs."""
    latency = report.latency_ms
    return {
        "session_key": report.session.key,
        "data_source": report.session.data_source,
        "identifier": report.session.identifier,
        "lap_times_s": report.lap_times_s,
        "written": {"packets": report.written.packets, "samples": report.written.samples_count},
        "read_live": {"packets": report.live.packets, "samples": report.live.samples_count},
        "read_history": {"packets": report.history.packets, "samples": report.history.samples_count},
        "latency_ms": None if latency is None else {"median": latency[0], "p99": latency[1]},
        "write_s": report.write_s,
        "history_s": report.history_s,
        "missing": report.missing,
        "complete": not report.missing,
    }
