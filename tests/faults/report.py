"""What a run of faults has shown: as a table for people and as JSON for figures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from plan import Fault
from scene import GROUP_RECOVERY_S, RECOVERY_S, Recovery
from validate import Verdict


@dataclass(frozen=True, slots=True)
class Survived:
    """A fault that was healed, and how quickly everything went on."""

    fault: Fault
    recovery: Recovery


@dataclass
class Report:
    """What was done to one cluster."""

    cluster: str
    seed: int
    planned: int
    survived: list[Survived] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    failure: str = ""
    """Why the run ended early."""
    seconds: float = 0.0

    @property
    def slow(self) -> list[Survived]:
        """The faults after which something came back later than promised."""
        return [survived for survived in self.survived if not survived.recovery.in_time]

    @property
    def kept(self) -> bool:
        """Whether every fault was survived and every promise kept."""
        return not self.failure and len(self.survived) == self.planned and self.verdict.kept and not self.slow

    def slowest(self, who: str) -> float:
        """The slowest recovery of `write_s`, `read_s` or `group_s`."""
        return max((getattr(survived.recovery, who) for survived in self.survived), default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        kinds = Counter(survived.fault.kind for survived in self.survived)
        verdict = asdict(self.verdict) | {"counts": dict(self.verdict.counts)}
        return {
            "cluster": self.cluster,
            "seed": self.seed,
            "kept": self.kept,
            "planned": self.planned,
            "survived": len(self.survived),
            "survived_by_kind": dict(sorted(kinds.items())),
            "long": sum(survived.fault.long for survived in self.survived),
            "lost": self.verdict.counts["lost"],
            "duplicated": self.verdict.counts["duplicated"],
            "reordered": self.verdict.counts["re-ordered"],
            "slowest_recovery_s": {who: round(self.slowest(who), 3) for who in ("write_s", "read_s", "group_s")},
            "seconds": round(self.seconds, 1),
            "failure": self.failure,
            "verdict": verdict,
            "faults": [asdict(survived.fault) | asdict(survived.recovery) for survived in self.survived],
        }

    def text(self) -> str:
        """A table, and every trouble in words."""
        verdict = self.verdict
        lines = [
            f"{self.cluster}, seed {self.seed}: {len(self.survived)} of {self.planned} faults in {self.seconds:.0f} s"
        ]
        lines.append(f"  {'kind':<18}{'survived':>9}{'write':>8}{'read':>8}{'group':>8}   slowest recovery in s")
        for kind in sorted({survived.fault.kind for survived in self.survived}):
            of_kind = [survived.recovery for survived in self.survived if survived.fault.kind == kind]
            slowest = (max(getattr(one, who) for one in of_kind) for who in ("write_s", "read_s", "group_s"))
            lines.append(f"  {kind:<18}{len(of_kind):>9}" + "".join(f"{seconds:>8.2f}" for seconds in slowest))
        lines.append(
            f"  packets {verdict.packets}: persisted {verdict.persisted}, given up {verdict.not_persisted}, unclear "
            f"{verdict.possibly_persisted}, of killed writers without an outcome {verdict.unreported}"
        )
        lines.append(
            f"  lost {verdict.counts['lost']}, duplicated {verdict.counts['duplicated']}, re-ordered "
            f"{verdict.counts['re-ordered']}, sessions {verdict.sessions}"
        )
        read = ", ".join(f"{name} {count}" for name, count in verdict.read.items())
        again = ", ".join(f"{name} {count}" for name, count in verdict.read_again.items())
        lines.append(f"  different packets read: {read}; read again: {again or 'none'}")
        lines += [
            f"  SLOW (bounds {RECOVERY_S:g} and {GROUP_RECOVERY_S:g} s): {one.fault}: {one.recovery}"
            for one in self.slow
        ]
        lines += [f"  TROUBLE {trouble}" for trouble in verdict.troubles]
        if self.failure:
            lines.append(f"  FAILED {self.failure}")
        return "\n".join(lines)


def total(reports: Sequence[Report]) -> str:
    """All clusters together, as a table of Markdown and the sums below it."""
    kinds = sorted({survived.fault.kind for report in reports for survived in report.survived})
    lines = [
        "| fault | " + " | ".join(report.cluster for report in reports) + " | slowest: written | read | by the group |",
        "|---|" + "--:|" * (len(reports) + 3),
    ]
    for kind in kinds:
        of_kind = [[each.recovery for each in report.survived if each.fault.kind == kind] for report in reports]
        counts = [str(len(recoveries) or "") for recoveries in of_kind]
        flat = [recovery for recoveries in of_kind for recovery in recoveries]
        slowest = [f"{max(getattr(one, who) for one in flat):.1f} s" for who in ("write_s", "read_s", "group_s")]
        lines.append(f"| {' | '.join([kind, *counts, *slowest])} |")
    sums = ", ".join(f"{what.replace('_', ' ')} {count}" for what, count in _sums(reports).items())
    return "\n".join([*lines, "", sums])


def _sums(reports: Sequence[Report]) -> dict[str, int]:
    return {
        "survived": sum(len(report.survived) for report in reports),
        "packets": sum(report.verdict.packets for report in reports),
        "sessions": sum(report.verdict.sessions for report in reports),
        "lost": sum(report.verdict.counts["lost"] for report in reports),
        "duplicated": sum(report.verdict.counts["duplicated"] for report in reports),
        "reordered": sum(report.verdict.counts["re-ordered"] for report in reports),
        "read_again_by_groups": sum(sum(report.verdict.read_again.values()) for report in reports),
    }


def write_json(reports: Sequence[Report], path: Path) -> None:
    """All clusters of a run in one file, with the totals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    totals = _sums(reports) | {"kept": all(report.kept for report in reports)}
    clusters = [report.as_dict() for report in reports]
    path.write_text(json.dumps({"total": totals, "clusters": clusters}, indent=1) + "\n")
