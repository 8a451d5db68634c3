"""A process that writes sessions until it is told to finish, or killed, and notes every packet and every outcome.

It keeps one session open on several streams and now and then goes over to a new one. Sessions are made and ended beside
the writing, so that an outage stops neither the packets nor the clock.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
import traceback

import content
import telewire
from ledger import Ended, Ledger, Opened, Ready, Settled, Written
from orders import arguments, serve

PATIENCE_S = 240.0
"""No fault is longer; creating and ending sessions waits for its end."""
TICK_S = 0.02


class Current:
    """The session that is being written."""

    def __init__(self, session: telewire.Session) -> None:
        self.session = session
        session.configure([telewire.Parameter(identifier) for identifier in content.PARAMETERS])
        self.streams = {name: session.stream(name) for name in content.STREAMS}
        self.next = dict.fromkeys(content.STREAMS, 0)


class Writing:
    """The work of this process."""

    def __init__(self, client: telewire.Client, ledger: Ledger, run: int) -> None:
        self._client = client
        self._ledger = ledger
        self._run = run
        self._packets = client.packet_writer()
        self._packets.track()
        self._swap = threading.Lock()
        self._current: Current | None = None
        self._listening = True

    def open(self, resume: str | None = None) -> Current:
        """A new session, or one that another writer left, ready to be written."""
        if resume is not None:
            session = self._client.resume_session(resume)
        else:
            session = self._client.create_session(content.SOURCE, identifier=f"run {self._run}")
        self._ledger.note(Opened(session.key))
        return Current(session)

    def go_over_to(self, current: Current | None) -> None:
        """Write this session from now on and end the one before it."""
        with self._swap:
            old, self._current = self._current, current
        if old is not None:
            self._end(old.session)

    def write(self) -> None:
        """One packet on each stream."""
        with self._swap:
            current = self._current
            if current is None:
                return
            for name, stream in current.streams.items():
                seq = current.next[name]
                if content.is_samples(seq):
                    tickets = stream.write_periodic(
                        content.PARAMETERS,
                        start_ns=content.start_ns(seq),
                        interval_ns=content.INTERVAL_NS,
                        values=content.values(self._run, seq),
                    )
                    (ticket,) = tickets
                else:
                    ticket = stream.packet(content.TYPE, content.note(self._run, seq))
                self._ledger.note(Written(ticket, current.session.key, name, self._run, seq))
                current.next[name] = seq + 1

    def _end(self, session: telewire.Session) -> None:
        while True:
            # What failed has its outcome in the ledger; taken here, it does not stand in the way of the end.
            self._packets.flush(PATIENCE_S)
            try:
                session.end()
            except telewire.SessionError:
                if not session.ended:
                    raise
            except telewire.KafkaError:
                # The packets that say the end were not delivered in an outage: the session is live, it is tried again.
                time.sleep(TICK_S)
                continue
            self._ledger.note(Ended(session.key))
            return

    def listen(self) -> None:
        """Note outcomes until everything has one."""
        while self._listening or self._packets.pending:
            self._note_outcomes()
            time.sleep(TICK_S / 2)
        self._note_outcomes()

    def _note_outcomes(self) -> None:
        for outcome in self._packets.outcomes():
            self._ledger.note(Settled(outcome.ticket, outcome.fate))

    def stop_listening(self) -> None:
        """Nothing more will be written."""
        self._listening = False


def main() -> int:
    """Write until told to finish."""
    parser = arguments(__doc__)
    parser.add_argument("--run", type=int, required=True)
    parser.add_argument("--rate", type=float, default=40.0, help="packets per second and stream")
    parser.add_argument("--session-s", type=float, default=10.0, help="length of a session, 0 for one session")
    parser.add_argument("--message-timeout-ms", type=int, default=0, help="0 for telewire's own")
    parser.add_argument("--on-outage", choices=["fail", "wait"], default="fail")
    parser.add_argument("--resume", help="a session to take up")
    return serve(parser.parse_args(), _work)


def _work(given: argparse.Namespace, ledger: Ledger, stopping: threading.Event) -> None:
    timeouts = {"message.timeout.ms": given.message_timeout_ms} if given.message_timeout_ms else {}
    client = telewire.connect(
        given.brokers,
        domain=given.domain,
        layout="domain",
        timeout_s=PATIENCE_S,
        producer=timeouts,
        on_outage=given.on_outage,
    )
    failed: list[str] = []
    with client:
        writing = Writing(client, ledger, given.run)

        def change_sessions() -> None:
            try:
                writing.go_over_to(writing.open(given.resume))
                ledger.note(Ready())
                while not stopping.wait(given.session_s or None):
                    writing.go_over_to(writing.open())
                writing.go_over_to(None)
            except Exception:
                failed.append(traceback.format_exc())
                stopping.set()

        listener = threading.Thread(target=writing.listen, name="outcomes")
        changer = threading.Thread(target=change_sessions, name="sessions")
        listener.start()
        changer.start()
        due = time.monotonic()
        try:
            while changer.is_alive():
                writing.write()
                # After a pause there is no rush to catch up: the rate is a load, not a promise.
                due = max(due + 1 / given.rate, time.monotonic() - 1)
                time.sleep(max(0.0, due - time.monotonic()))
        finally:
            stopping.set()
            changer.join()
            writing.stop_listening()
            listener.join()
    for what in failed:
        raise RuntimeError(what)


if __name__ == "__main__":
    sys.exit(main())
