"""Files of recorded data into sessions: `load` a table, `plan` it, `write` the plan.

Everything that can be wrong with a file is found before the first byte is written.
"""

from __future__ import annotations

from telewire.importing.plan import Plan, PlanOptions, SourcePlan, plan
from telewire.importing.refused import ImportRefusedError
from telewire.importing.table import Table, load
from telewire.importing.write import Progress, Written, write

__all__ = [
    "ImportRefusedError",
    "Plan",
    "PlanOptions",
    "Progress",
    "SourcePlan",
    "Table",
    "Written",
    "load",
    "plan",
    "write",
]
