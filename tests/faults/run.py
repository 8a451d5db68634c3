"""Produce, disturb, consume, validate: the fault suite as a program. `make faults` runs it; README.md tells how.

A writer, a reader and a group of readers work on a cluster while the faults of a plan come and go. At the end all
that was written, kept and read is compared.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import brokers
from faults import FAULTS
from plan import Fault, given_seed, plan
from report import Report, Survived, total, write_json
from scene import GIVE_UP_S, Scene

if TYPE_CHECKING:
    from brokers import Target

QUIET_S: Final = 0.3
"""Between two faults, so that they also meet a cluster at rest."""

CLUSTERS: Final[dict[str, tuple[Callable[[Path], AbstractContextManager[Target]], int, tuple[str, ...]]]] = {
    # How it is started, short faults and kinds of long ones in a full run.
    "apache": (lambda _: brokers.apache(1), 36, ("pause", "hard stop")),
    "apache3": (lambda _: brokers.apache(3), 32, ()),
    "embedded": (lambda folder: brokers.embedded(folder / "broker"), 32, ("pause",)),
}


def survive(target: Target, faults: Sequence[Fault], seed: int, folder: Path, say: Callable[[str], None]) -> Report:
    """Run the faults against a cluster and validate.

    It never raises for what goes wrong under test: the report tells.
    """
    report = Report(target.kind, seed, len(faults))
    begin = time.monotonic()
    try:
        with Scene(target, folder, seed) as scene:
            scene.start()
            for number, fault in enumerate(faults, 1):
                say(f"{target.kind} {number}/{len(faults)}: {fault}")
                report.survived.append(_one(scene, fault))
                say(f"    {report.survived[-1].recovery}")
                scene.pass_time(QUIET_S)
            report.verdict = scene.finish()
    except Exception:
        report.failure = traceback.format_exc()
    report.seconds = time.monotonic() - begin
    return report


def _one(scene: Scene, fault: Fault) -> Survived:
    began_s = time.monotonic()
    course = FAULTS[fault.kind](scene, fault)
    try:
        next(course)
        recovery = scene.recover(time.monotonic(), GIVE_UP_S)
        next(course, None)
    finally:
        course.close()
        scene.disturbed(began_s)
    return Survived(fault, recovery)


def main() -> int:
    """Run the suite; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description="The fault suite of telewire.")
    parser.add_argument("--seed", type=int, default=None, help="repeats the plan of a run that printed it")
    parser.add_argument("--clusters", default=",".join(CLUSTERS), help="which, separated by commas")
    parser.add_argument("--faults", type=int, default=None, help="short faults for each cluster")
    parser.add_argument("--only", default="", help="kinds of faults, separated by commas, instead of all")
    parser.add_argument("--no-long", action="store_true", help="leave the long faults out")
    parser.add_argument("--folder", type=Path, default=None, help="where ledgers and logs are kept")
    parser.add_argument("--json", type=Path, default=None, help="file for the report")
    given = parser.parse_args()
    seed = given_seed() if given.seed is None else given.seed
    print(f"seed {seed} (repeat with --seed {seed})", flush=True)
    reports = []
    keeping = nullcontext(str(given.folder)) if given.folder else tempfile.TemporaryDirectory(prefix="telewire-faults-")
    with keeping as kept:
        for name in given.clusters.split(","):
            start, count, long = CLUSTERS[name]
            folder = Path(kept) / name
            folder.mkdir(parents=True)
            with start(folder) as target:
                without = [kind for kind in FAULTS if given.only and kind not in given.only.split(",")]
                faults = plan(
                    seed,
                    faults=count if given.faults is None else given.faults,
                    brokers=target.brokers,
                    proxies=bool(target.proxies),
                    long=() if given.no_long else long,
                    without=without,
                )
                report = survive(target, faults, seed, folder, lambda line: print(line, flush=True))
            reports.append(report)
            print(report.text(), flush=True)
    print(total(reports), flush=True)
    if given.json is not None:
        write_json(reports, given.json)
    return 0 if all(report.kept for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
