"""What was written and what was read, as a table, a sentence, and a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from telewire.demo.ledger import Ledger
    from telewire.demo.run import Report

_KINDS = ("PeriodicData", "RowData", "SynchroData", "Event", "Marker")


def _rows(ledger: Ledger) -> dict[tuple[str, str], tuple[int, int]]:
    """Packets and samples by stream and kind; events and markers count as one sample each."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for (stream, kind, _), account in ledger.accounts.items():
        packets, samples = found.get((stream, kind), (0, 0))
        found[stream, kind] = packets + account.packets, samples + (account.samples or account.rows)
    return found


def table(report: Report) -> Table:
    """One row a stream and kind of packet: written, read live, read again."""
    shown = Table(title="Written and read", title_justify="left", header_style="bold")
    shown.add_column("stream")
    shown.add_column("kind")
    for heading in ("packets written", "read live", "history", "samples written", "read live", "history"):
        shown.add_column(heading, justify="right")
    books = [_rows(ledger) for ledger in (report.written, report.live, report.history)]
    keys = sorted({key for book in books for key in book}, key=lambda key: (key[0], _KINDS.index(key[1])))
    totals = [[0, 0] for _ in books]
    for index, key in enumerate(keys):
        cells = [book.get(key, (0, 0)) for book in books]
        for total, (packets, samples) in zip(totals, cells, strict=True):
            total[0] += packets
            total[1] += samples
        last = index + 1 == len(keys) or keys[index + 1][0] != key[0]
        first = index == 0 or keys[index - 1][0] != key[0]
        shown.add_row(
            (key[0] or "(main)") if first else "",
            key[1],
            *(f"{packets:,}" for packets, _ in cells),
            *(f"{samples:,}" for _, samples in cells),
            end_section=last,
        )
    shown.add_row(
        "all", "", *(f"{total[0]:,}" for total in totals), *(f"{total[1]:,}" for total in totals), style="bold"
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
    return {
        "session_key": report.session.key,
        "data_source": report.session.data_source,
        "identifier": report.session.identifier,
        "lap_times_s": report.lap_times_s,
        "written": {"packets": report.written.packets, "samples": report.written.samples_count},
        "read_live": {"packets": report.live.packets, "samples": report.live.samples_count},
        "read_history": {"packets": report.history.packets, "samples": report.history.samples_count},
        "latency_ms": None
        if report.latency_ms is None
        else {"median": report.latency_ms[0], "p99": report.latency_ms[1]},
        "write_s": report.write_s,
        "history_s": report.history_s,
        "missing": report.missing,
        "complete": not report.missing,
    }
