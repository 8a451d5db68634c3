"""The demo on a terminal: a small pit wall that shows what the live reader has just read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from telewire.demo.braille import TrackMap
from telewire.demo.channels import CORNERS
from telewire.demo.plain import stamp

if TYPE_CHECKING:
    from telewire.demo.live import Live
    from telewire.demo.run import Facts

_MAP_COLUMNS: Final = 34
_MAP_ROWS: Final = 10
_CAR_COLUMNS: Final = 60
_FEED_LINES: Final = 6
_FRAMES: Final = 12
_BLOCKS: Final = " ▏▎▍▌▋▊▉█"
_SPARKS: Final = "▁▂▃▄▅▆▇█"
_STYLES: Final = {"lap": "bold green", "sector": "cyan", "message": "bold yellow", "event": "magenta"}


def bar(value: float, top: float, width: int, style: str) -> Text:
    """A horizontal bar of `width` characters, `value` of `top` filled, in eighths of a character."""
    eighths = round(min(max(value / top, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    filled = "█" * full + (_BLOCKS[rest] if rest else "")
    return Text.assemble((filled, style), ("·" * (width - len(filled)), "grey37"))


def sparkline(values: list[float], top: float, width: int) -> str:
    """The last `width` values as one line of small bars."""
    return "".join(_SPARKS[min(int(max(v, 0.0) / top * len(_SPARKS)), len(_SPARKS) - 1)] for v in values[-width:])


class Dashboard:
    """Draws the demo in place, a dozen times a second, from the state the reader keeps."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._screen: Screen | None = None
        self._facts: Facts | None = None
        self._map: TrackMap | None = None
        self._next_frame = 0.0
        self._history = False

    def begin(self, facts: Facts, live: Live) -> None:
        """Opens the display."""
        self._facts = facts
        self._map = TrackMap(facts.track.x_m, facts.track.y_m, _MAP_COLUMNS, _MAP_ROWS)
        self._screen = Screen(
            self.render(live), console=self._console, auto_refresh=False, transient=False, vertical_overflow="crop"
        )
        self._screen.start()

    def tick(self, live: Live) -> None:
        """Draws, if the last frame is old enough."""
        now = time.monotonic()
        if now >= self._next_frame:
            self._next_frame = now + 1 / _FRAMES
            self._draw(live)

    def reading_again(self, live: Live) -> None:
        """Draws the last frame."""
        self._history = True
        self._draw(live)

    def close(self) -> None:
        """Gives the terminal back, with the last frame on it."""
        if self._screen is not None:
            self._screen.stop()
            self._screen = None

    def _draw(self, live: Live) -> None:
        if self._screen is not None:
            self._screen.update(self.render(live), refresh=True)

    def render(self, live: Live) -> RenderableType:
        """One frame."""
        assert self._facts is not None
        facts = self._facts
        narrow = self._console.width < _MAP_COLUMNS + 5 + _CAR_COLUMNS
        width = _CAR_COLUMNS if narrow else _MAP_COLUMNS + 5 + _CAR_COLUMNS
        with live.lock:
            car = Panel(_car(live), title=facts.options.data_source, border_style="grey50", width=_CAR_COLUMNS)
            track = Panel(self._track(live), title=self._lap_title(live), border_style="grey50", width=_MAP_COLUMNS + 4)
            feed = _feed(live)
        counts = Panel(self._counts(live), title="written and read", border_style="grey50", width=55)
        title = Text.assemble(
            ("telewire demo", "bold"),
            f"  {facts.brokers}  session {facts.session_key[:8]}…  {facts.parameters} parameters",
        )
        progress = self._progress(live, width)
        if narrow:
            happening = Panel(feed, title=self._lap_title(live), border_style="grey50", width=_CAR_COLUMNS)
            return Group(title, car, happening, progress)
        happening = Panel(feed, title="as it happens", border_style="grey50", width=width - 56)
        return Group(title, _side_by_side(track, car), _side_by_side(counts, happening), progress)

    def _lap_title(self, live: Live) -> str:
        if live.lap is None:
            return "on the grid"
        return f"{live.lap.label} of {live.laps} · sector {live.sector}"

    def _track(self, live: Live) -> Text:
        assert self._map is not None
        assert self._facts is not None
        track = self._facts.track
        rows = [Text(line, style="grey70") for line in self._map.lines()]
        at = (live.values.get("sLap:PowerUnit", 0.0) % track.length_m) / track.step_m
        point = min(int(at), len(track.x_m) - 1)
        row, column = self._map.cell(float(track.x_m[point]), float(track.y_m[point]))
        line, after = rows[row], column + 1
        rows[row] = Text.assemble(line[:column], ("●", "bold red"), line[after:])
        return Text("\n").join(rows)

    def _counts(self, live: Live) -> Table:
        assert self._facts is not None
        table = Table(box=None, padding=(0, 1), header_style="grey62")
        for heading in ("stream", "packets", "read", "samples", "read"):
            table.add_column(heading, justify="left" if heading == "stream" else "right")
        packets, packets_read = live.written.packets_by_stream(), live.read.packets_by_stream()
        samples, samples_read = live.written.samples_by_stream(), live.read.samples_by_stream()
        for stream in ("", *self._facts.streams):
            table.add_row(
                stream or "(main)",
                f"{packets[stream]:,}",
                f"{packets_read[stream]:,}",
                f"{samples[stream]:,}",
                f"{samples_read[stream]:,}",
            )
        table.add_row(
            "all",
            f"{packets.total():,}",
            f"{packets_read.total():,}",
            f"{samples.total():,}",
            f"{samples_read.total():,}",
            style="bold",
        )
        return table

    def _progress(self, live: Live, width: int) -> Text:
        done = min(max(live.now_ns - live.start_ns, 0) / live.length_ns, 1.0)
        latency = live.latency_ms()
        delay = ""
        if latency is not None:
            delay = f"write → read {latency[0]:.1f} ms"
            if width > _CAR_COLUMNS:
                delay += f", 99 % below {latency[1]:.1f} ms"
        seconds = f"{done * live.length_ns / 1e9:5.1f} of {live.length_ns / 1e9:.1f} s"
        state = "ended" if self._history else "● live"
        return Text.assemble(
            " ",
            bar(done, 1.0, 28 if width > _CAR_COLUMNS else 14, "green"),
            f" {seconds}  ",
            (state, "bold green"),
            f"  {delay}",
        )[: width + 8]


def _side_by_side(left: Panel, right: Panel) -> Table:
    grid = Table.grid(padding=(0, 1), expand=False)
    grid.add_row(left, right)
    return grid


def _car(live: Live) -> Table:
    value = live.values.get
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style="grey62", width=8)
    table.add_column(width=30)
    table.add_column(justify="right", width=14)
    gear = int(value("nGear:PowerUnit", 0.0))
    rpm = value("nEngine:PowerUnit", 0.0)
    speed = value("vCar:Chassis", 0.0)
    flap = Text("FLAP OPEN", "bold black on green") if value("bDRS:Chassis", 0.0) else Text("flap closed", "grey50")
    pit = Text("PIT LIMITER", "bold black on yellow") if value("bPitLimiter:Chassis", 0.0) else flap
    table.add_row("speed", bar(speed, 340, 30, "bright_white"), Text(f"{speed:.0f} km/h", "bold bright_white"))
    table.add_row(
        "engine", bar(rpm, 12500, 30, "red" if rpm > 11400 else "dodger_blue1"), Text(f"{rpm:,.0f} rpm", "bold")
    )
    table.add_row("throttle", bar(value("rThrottle:PowerUnit", 0.0), 100, 30, "green"), Text(f"gear {gear}", "bold"))
    table.add_row("brake", bar(value("rBrakePedal:Chassis", 0.0), 100, 30, "red"), pit)
    charge = value("rErsSoC:PowerUnit", 0.0)
    power = value("PErsDeploy:PowerUnit", 0.0) - value("PErsHarvest:PowerUnit", 0.0)
    table.add_row("battery", bar(charge, 100, 30, "yellow"), f"{charge:.0f} % {power:+.0f} kW")
    table.add_row(
        "g",
        f"lateral {value('gLat:Chassis', 0.0):+5.2f}   along {value('gLong:Chassis', 0.0):+5.2f}",
        f"fuel {value('mFuel:PowerUnit', 0.0):.2f} kg",
    )
    table.add_row("tyres", _four(live, "TTyre", ":Tyres", "°C"), "")
    table.add_row("brakes", _four(live, "TBrake", ":Chassis", "°C"), "")
    trace = list(live.speed_trace)
    table.add_row("trace", Text(sparkline(trace[-120::4], 260, 30), "grey70"), Text("last 6 s", "grey50"))
    laps = "  ".join(f"{seconds:.3f}" for seconds in live.lap_times_s[-3:])
    table.add_row("laps", laps or Text("none finished yet", "grey50"), "")
    return table


def _four(live: Live, name: str, app: str, unit: str) -> Text:
    text = Text()
    for corner in CORNERS:
        text.append(f"{corner} ", "grey50")
        text.append(f"{live.values.get(f'{name}{corner}{app}', 0.0):3.0f} ")
    return text.append(unit, "grey50")


def _feed(live: Live) -> Text:
    lines = list(live.feed)[-_FEED_LINES:]
    text = Text(no_wrap=True, overflow="ellipsis")
    for line in lines:
        text.append(f"{stamp(line, live.start_ns)[:-2].strip():>6} ", "grey50")
        text.append(line.text + "\n", _STYLES.get(line.kind, ""))
    return text
