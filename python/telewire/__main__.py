"""`python -m telewire` is the `telewire` command."""

from __future__ import annotations

from telewire.cli import main

main()
