"""Sessions by their key, or by enough of its beginning: tables on a narrow terminal show no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telewire.cli.exits import USAGE, fail

if TYPE_CHECKING:
    import telewire


def find(client: telewire.Client, session_key: str) -> telewire.SessionInfo:
    """The session with this key, or the only one whose key begins so; otherwise the command ends."""
    known = client.sessions()
    matches = [info for info in known if info.key == session_key] or [
        info for info in known if info.key.startswith(session_key)
    ]
    if not matches:
        fail(f"no session has the key '{session_key}'; `telewire sessions` lists what is there", USAGE)
    if len(matches) > 1:
        fail(f"'{session_key}' begins the keys of {len(matches)} sessions; give more of it", USAGE)
    return matches[0]
