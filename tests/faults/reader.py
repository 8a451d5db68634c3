"""A process that reads everything that is written until it is told to finish, or killed, and notes every packet."""

from __future__ import annotations

import argparse
import sys
import threading
import time

import content
import telewire
from ledger import Completed, Ledger, Ready, Seen
from orders import arguments, serve

PATIENCE_S = 60.0


def main() -> int:
    """Read until told to finish."""
    parser = arguments(__doc__)
    parser.add_argument("--group", default="")
    parser.add_argument("--session-timeout-ms", type=int, default=45_000)
    return serve(parser.parse_args(), _work)


def _work(given: argparse.Namespace, ledger: Ledger, stopping: threading.Event) -> None:
    with (
        telewire.connect(
            given.brokers,
            domain=given.domain,
            layout="domain",
            timeout_s=PATIENCE_S,
            consumer={"session.timeout.ms": given.session_timeout_ms, "heartbeat.interval.ms": 500},
        ) as client,
        client.read(mode="live", data_source=content.SOURCE, group_id=given.group, on_undecodable="raise") as reader,
    ):
        # A thread that waits for the order, because the iteration below has no time-out: closing ends it.
        def close() -> None:
            stopping.wait()
            reader.close()

        threading.Thread(target=close, name="close", daemon=True).start()
        ledger.note(Ready())
        for item in reader.events():
            if isinstance(item, telewire.ReaderEvent):
                if item.kind == "session_completed":
                    ledger.note(Completed(item.session_key))
                continue
            number = content.number_in(item)
            if number is not None:
                ledger.note(Seen(item.session_key, item.stream, *number, item.topic, item.partition, item.offset))
        if not stopping.is_set():
            raise RuntimeError(f"the reader ended by itself at {time.monotonic()}")


if __name__ == "__main__":
    sys.exit(main())
