"""Draws the pictures of docs/time.md from what telewire really gives out, on an embedded broker.

    python scripts/draw_time.py docs/images

Needs telewire[plot]. The sessions are made up and always the same; every line and every dot is read from the library.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

mpl.use("svg")
from matplotlib import pyplot as plt  # after the choice of how to draw

import telewire

MS: Final = 1_000_000
START_NS: Final = 1_763_000_000_000_000_000
# Legible on white and on black: nothing is drawn in either.
INK, FAINT = "#808080", "#80808055"
BLUE, ORANGE, GREEN, RED = "#3b8bd1", "#e08a1e", "#35a36b", "#d6455d"
STYLE: Final[Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "font.family": "sans-serif",
    "font.size": 10,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "savefig.transparent": True,
    # Text stays text: small files, and it can be searched.
    "svg.fonttype": "none",
    # The same picture is the same file.
    "svg.hashsalt": "telewire",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def seconds(time_ns: ArrayLike) -> NDArray[np.float64]:
    """Seconds since the pictures' beginning."""
    return np.asarray((np.asarray(time_ns) - START_NS) / 1e9)


# ------------------------------------------------------------------------------------- packets become windows


@dataclass(frozen=True)
class Step:
    """One packet on its way through a merger."""

    stream: str
    times_ns: list[int]
    clock_ns: int
    frontier_ns: int | None
    late: int
    windows: list[telewire.Window]


def packets_of_two_streams() -> list[tuple[str, list[int]]]:
    """Streams and sample times in ms, in the order in which the packets are written."""
    return [
        ("Chassis", [0, 100, 200, 300, 400]),
        ("PowerUnit", [50, 250]),
        ("Chassis", [500, 600, 700, 800, 900]),
        ("PowerUnit", [450, 650]),
        ("Chassis", [1000, 1100, 1200, 1300, 1400]),
        ("PowerUnit", [850, 1050, 350]),
        ("Chassis", [1500, 1600, 1700, 1800, 1900]),
        ("PowerUnit", [1250, 1450]),
    ]


def steps(client: telewire.Client) -> list[Step]:
    """Write a packet, read it, push it, see what comes out; again and again, then the end of the session."""
    merger = client.merger(length="1s", slide=0.2)
    found: list[Step] = []
    with client.create_session("CarA") as session:
        names = {"Chassis": "vCar:Chassis", "PowerUnit": "nEngine:PowerUnit"}
        session.configure([telewire.Parameter(name) for name in names.values()])
        session.flush()
        with client.read(session.key) as reader:
            for stream, times_ms in packets_of_two_streams():
                times_ns = [START_NS + time * MS for time in times_ms]
                session.stream(stream).write_rows(
                    names[stream], timestamps_ns=times_ns, values=np.arange(len(times_ns))
                )
                session.flush()
                found.append(step(merger, reader, stream, times_ns))
            session.end()
            rest: list[telewire.Window] = []
            while (items := reader.fetch_items()) is not None:
                rest += [item for item in merger.push(items) if isinstance(item, telewire.Window)]
    last = found[-1]
    found.append(Step("", [], last.clock_ns, rest[-1].end_ns, last.late, rest))
    return found


def step(merger: telewire.Merger, reader: telewire.Reader, stream: str, times_ns: list[int]) -> Step:
    """What one packet brings about."""
    windows: list[telewire.Window] = []
    seen = False
    while not seen:
        items = reader.fetch_items() or []
        seen = any(isinstance(item, telewire.Packet) and item.type == "RowData" for item in items)
        windows += [item for item in merger.push(items) if isinstance(item, telewire.Window)]
    (key,) = {window.session_key for window in windows} or {reader.session.key if reader.session else ""}
    clock_ns = max(merger.last_times("CarA", key).values())
    return Step(stream, times_ns, clock_ns, merger.frontier_ns(key), merger.counts().late, windows)


def draw_windows(client: telewire.Client, folder: Path) -> None:
    """Arrival downwards, the samples' time to the right; the window between frontier and clock."""
    found = steps(client)
    figure, axes = plt.subplots(figsize=(8.6, 4.6), layout="constrained")
    colours = {"Chassis": BLUE, "PowerUnit": ORANGE}
    for tick in np.arange(-0.2, 2.21, 0.2):
        axes.axvline(tick, color=FAINT, lw=0.6, zorder=0)
    frontier = [each.frontier_ns if each.frontier_ns is not None else None for each in found]
    for row, each in enumerate(found):
        before = frontier[row - 1] if row else None
        if each.times_ns:
            left = float(seconds(found[0].times_ns[0] if each.frontier_ns is None else each.frontier_ns))
            axes.barh(row, seconds(each.clock_ns) - left, left=left, height=0.86, color=GREEN, alpha=0.13, lw=0)
            late = [before is not None and time < before for time in each.times_ns]
            colour = colours[each.stream]
            kept = [time for time, gone in zip(each.times_ns, late, strict=True) if not gone]
            axes.plot(seconds(kept), [row] * len(kept), "o", color=colour, ms=5)
            gone = [time for time, is_late in zip(each.times_ns, late, strict=True) if is_late]
            axes.plot(seconds(gone), [row] * len(gone), "x", color=RED, ms=8, mew=2)
        for window in each.windows:
            start, end = seconds(window.start_ns), seconds(window.end_ns)
            axes.barh(row + 0.5, end - start - 0.012, left=start + 0.006, height=0.3, color=GREEN, lw=0)
            centre = float(start + end) / 2
            axes.text(centre, row + 0.52, str(len(window)), ha="center", va="center", fontsize=9, color="white")
    # Where the picture has room for words.
    last = len(found) - 2
    for time_ns, word in ((found[last].frontier_ns or 0, "frontier"), (found[last].clock_ns, "clock")):
        axes.annotate(
            word,
            (float(seconds(time_ns)), last + 0.43),
            xytext=(float(seconds(time_ns)), last + 1.05),
            ha="center",
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": INK, "lw": 0.8},
        )
    axes.set_yticks(
        range(len(found)),
        [f"{number}  {each.stream}" if each.stream else "end" for number, each in enumerate(found, 1)],
    )
    axes.set(
        xlim=(-0.12, 2.12),
        ylim=(len(found) - 0.1, -0.7),
        xlabel="time of the samples [s]",
        ylabel="packets, as they arrive",
    )
    axes.plot([], [], "o", color=BLUE, label="sample of Chassis")
    axes.plot([], [], "o", color=ORANGE, label="of PowerUnit")
    axes.plot([], [], "x", color=RED, mew=2, label="late")
    axes.barh([0], [0], color=GREEN, alpha=0.25, label="waits in the buffer")
    axes.barh([0], [0], color=GREEN, label="window handed out, its samples")
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.45, 1.12), ncols=5, fontsize=9, columnspacing=1.2, handletextpad=0.4
    )
    save(figure, folder / "time-windows.svg")


# ---------------------------------------------------------------------------------------------- choosing a length


def draw_lengths(client: telewire.Client, folder: Path) -> None:
    """What a longer window saves, and what it costs."""
    rng = np.random.default_rng(7)
    written: list[tuple[float, str, int]] = []
    for number in range(300):
        written.append((number * 20.0, "Chassis", number * 20))
        # A stream that comes over a radio: usually 0.1 s behind, now and then much more.
        written.append((number * 20.0 + 100 + rng.exponential(90), "Radio", number * 20))
    packets = in_this_order(client, sorted(written))
    lengths_ms = [50, 100, 200, 300, 400, 600, 800, 1000]
    late, latencies = [], []
    for length_ms in lengths_ms:
        merger = client.merger(length=length_ms / 1000, slide=0.1)
        waits: list[float] = []
        for item in packets:
            for window in merger.push([item]):
                if isinstance(window, telewire.Window) and isinstance(item, telewire.Packet):
                    clock_ns = max(merger.last_times(window.data_source, window.session_key).values())
                    waits += [(clock_ns - time) / MS for name in window for time in window[name].timestamps_ns.tolist()]
        counts = merger.counts()
        late.append(100 * counts.late / counts.received)
        latencies.append(np.median(waits))
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 2.9), layout="constrained")
    places = np.arange(len(lengths_ms))
    left.bar(places, late, color=RED, width=0.6)
    left.set_ylim(0, 1.12 * max(late))
    right.set_ylim(0, 1.12 * max(latencies))
    left.bar_label(left.containers[0], fmt="%.1f", color=INK, fontsize=9, padding=2)
    left.set(title="late samples [%]", xlabel="length of the window [ms]")
    right.bar(places, latencies, color=GREEN, width=0.6)
    right.bar_label(right.containers[0], fmt="%.0f", color=INK, fontsize=9, padding=2)
    right.set(title="a sample waits, median [ms of its time]", xlabel="length of the window [ms]")
    for axes in (left, right):
        axes.set_xticks(places, [str(length) for length in lengths_ms])
    assert late[0] > 20 > late[-1]
    save(figure, folder / "time-length.svg")


def in_this_order(client: telewire.Client, written: list[tuple[float, str, int]]) -> list[Any]:
    """What a reader gives of packets of one sample each, with the packets in the order in which they were written."""
    with client.create_session("CarB") as session:
        session.configure([telewire.Parameter("v:Chassis"), telewire.Parameter("v:Radio")])
        for _, stream, time_ms in written:
            session.stream(stream).write_rows(f"v:{stream}", timestamps_ns=[START_NS + time_ms * MS], values=[1.0])
    by_stream: dict[str, list[Any]] = {"Chassis": [], "Radio": []}
    first: list[Any] = []
    last: list[Any] = []
    with client.read(session.key) as reader:
        while (items := reader.fetch_items()) is not None:
            for item in items:
                if isinstance(item, telewire.Packet) and item.type == "RowData":
                    by_stream[item.stream].append(item)
                elif isinstance(item, telewire.ReaderEvent) and item.kind == "session_completed":
                    last.append(item)
                elif isinstance(item, telewire.ReaderEvent) and item.kind == "session_started":
                    first.append(item)
    queues = {stream: iter(packets) for stream, packets in by_stream.items()}
    return [*first, *(next(queues[stream]) for _, stream, _ in written), *last]


# ---------------------------------------------------------------------------------------- keeping streams together


def draw_alignment(client: telewire.Client, folder: Path) -> None:
    """The order in which a reader of history brings three streams, and what `align` makes of it."""
    streams = {"Chassis": BLUE, "PowerUnit": ORANGE, "Tyres": GREEN}
    with client.create_session("CarC") as session:
        session.configure([telewire.Parameter(f"v:{stream}") for stream in streams])
        for second in range(60):
            for stream in streams:
                session.stream(stream).write_periodic(
                    f"v:{stream}", start_ns=START_NS + second * 10**9, interval_ns=10**7, values=np.arange(100.0)
                )
    figure, panels = plt.subplots(1, 2, figsize=(8.6, 2.9), layout="constrained", sharey=True)
    for axes, aligned in zip(panels, (False, True), strict=True):
        with client.read(session.key) as reader:
            reader.align(aligned)
            packets = [(packet, packet.samples()) for packet in reader if packet.type == "PeriodicData"]
        assert len(packets) == 180
        for stream, colour in streams.items():
            own = [
                (place, samples.timestamps_ns[0])
                for place, (packet, samples) in enumerate(packets)
                if packet.stream == stream and samples is not None
            ]
            places, times = zip(*own, strict=True)
            axes.plot(places, seconds(times), ".", color=colour, ms=4, label=stream)
        axes.set(title="aligned" if aligned else "as Kafka hands them out", xlabel="packets, as they come")
    panels[0].set(ylabel="time of the samples [s]")
    panels[0].legend(fontsize=9)
    save(figure, folder / "time-align.svg")


# ------------------------------------------------------------------------------------------------------- grids


def draw_grid(client: telewire.Client, folder: Path) -> None:
    """Irregular samples with a hole on a grid of 10 Hz: aggregates, and three ways with gaps."""
    rng = np.random.default_rng(11)
    times_ms = np.sort(rng.choice(np.arange(0, 2000), 130, replace=False))
    times_ms = times_ms[(times_ms < 850) | (times_ms > 1370)]
    values = 200 + 60 * np.sin(times_ms / 320) + rng.normal(0, 6, len(times_ms))
    with client.create_session("CarD") as session:
        session.configure([telewire.Parameter("vCar:Chassis", units="km/h")])
        session.stream("Chassis").write_rows("vCar:Chassis", timestamps_ns=START_NS + times_ms * MS, values=values)
    data = client.load(session.key)
    raw = data["vCar:Chassis"]
    figure, panels = plt.subplots(2, 2, figsize=(8.6, 5.0), layout="constrained", sharex=True, sharey=True)
    titles: dict[str, dict[str, Any]] = {
        "mean, min to max; gaps are NaN": {"aggregate": ["mean", "min", "max"]},
        'last, gaps="hold"': {"aggregate": "last", "gaps": "hold"},
        'aggregate="linear", gap of 0.1 s at most': {"aggregate": "linear", "longest_gap_s": 0.1},
        'aggregate="linear", gap of 1 s at most': {"aggregate": "linear", "longest_gap_s": 1.0},
    }
    for axes, (title, options) in zip(panels.flat, titles.items(), strict=True):
        block = data.resample(10.0, **options)
        axes.plot(seconds(raw.timestamps_ns), raw.values, ".", color=INK, alpha=0.6, ms=4)
        for tick in np.arange(0, 2.01, 0.1):
            axes.axvline(tick, color=FAINT, lw=0.4, zorder=0)
        starts, ends = seconds(block.timestamps_ns), seconds(block.interval_ends_ns)
        shown = block.values[:, 0]
        if options["aggregate"] == "linear":
            axes.plot(starts, shown, "o", color=BLUE, ms=4)
        else:
            held = block.filled[:, 0]
            axes.hlines(shown[~held], starts[~held], ends[~held], color=BLUE, lw=2)
            axes.hlines(shown[held], starts[held], ends[held], color=RED, lw=2)
        if isinstance(options["aggregate"], list):
            least, most = block.aggregate("min")[:, 0], block.aggregate("max")[:, 0]
            axes.bar(starts, most - least, bottom=least, width=ends - starts, align="edge", color=BLUE, alpha=0.2)
        axes.set(title=title, ylim=(110, 285))
    for axes in panels[1]:
        axes.set(xlabel="time [s]")
    for axes in panels[:, 0]:
        axes.set(ylabel="vCar [km/h]")
    save(figure, folder / "time-grid.svg")


def save(figure: Figure, file: Path) -> None:
    """Write a picture, the same bytes for the same picture."""
    figure.savefig(file, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    # Numbers with fewer digits would do; blanks at the ends of lines are for nothing.
    file.write_text("\n".join(line.rstrip() for line in file.read_text().splitlines()) + "\n")
    print(file)


def main() -> None:
    """Draw all pictures into a folder."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE), telewire.Broker() as broker, telewire.connect(broker.address) as client:
        draw_windows(client, folder)
        draw_lengths(client, folder)
        draw_alignment(client, folder)
        draw_grid(client, folder)


if __name__ == "__main__":
    main()
