"""Two distributions with one import package: say so, because the one that was installed last has won file by file."""

from __future__ import annotations

import sys
import warnings
from importlib import metadata
from typing import Final

__all__ = ["OTHER", "warn"]

OTHER: Final = "ma-dataplatforms-streaming-support-library"


def warn() -> None:
    """Warn if the other distribution is installed. Looks at names of folders, reads no files."""
    # A frozen program has no installed distributions to look at.
    if getattr(sys, "frozen", False):
        return
    try:
        metadata.distribution(OTHER)
    except metadata.PackageNotFoundError:
        return
    warnings.warn(
        f"the distribution '{OTHER}' is installed beside telewire, and both have the package "
        f"'ma_dataplatforms_streaming_support_library': their files are mixed. Run 'pip uninstall {OTHER}', then "
        "'pip install --force-reinstall --no-deps telewire', which puts back the files that both had",
        UserWarning,
        stacklevel=2,
    )
