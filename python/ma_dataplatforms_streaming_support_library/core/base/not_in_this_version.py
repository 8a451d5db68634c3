"""Parts of the library whose contracts exist and whose services come with a later version."""

from __future__ import annotations

__all__ = ["not_in_this_version"]


def not_in_this_version(part: str) -> str:
    """The message of ``SL-LATER-001`` for a part of the library, such as ``"sample reader"``."""
    return f"the {part} is not part of this version of the library yet; read packets with the packet reader instead"
