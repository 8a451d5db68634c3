"""Bookkeeping of a session: counts and digests of everything written or read, and the comparison of two books.

Digests run over times, values and status of every stream in order, so that two books agree exactly when every sample
arrived, unchanged, in order; how samples were divided into packets does not matter to them.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

VALID = 1
"""`DATA_STATUS_VALID` of the protocol."""


@dataclass(slots=True)
class Account:
    """One stream's samples of one list of parameters, or its events, or its markers.

    Attributes:
        packets: Packets seen.
        rows: Times seen; for events and markers their number.
        samples: Values seen: rows times parameters.
    """

    packets: int = 0
    rows: int = 0
    samples: int = 0
    _times: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=16))
    _values: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=16))
    _status: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def add(
        self, times_ns: npt.NDArray[np.int64], values: npt.NDArray[np.float64], status: npt.NDArray[np.uint8]
    ) -> None:
        """Enters samples: times (n,), values and status (n, p)."""
        self.packets += 1
        self.rows += len(times_ns)
        self.samples += values.size
        self._times.update(np.ascontiguousarray(times_ns, dtype="<i8").tobytes())
        self._values.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        self._status.update(np.ascontiguousarray(status, dtype="u1").tobytes())

    def add_record(self, time_ns: int, content: bytes) -> None:
        """Enters an event or a marker."""
        self.packets += 1
        self.rows += 1
        self._times.update(struct.pack("<q", time_ns))
        self._values.update(struct.pack("<q", len(content)) + content)

    def digests(self) -> dict[str, str]:
        """What must be equal in two books, by name."""
        return {
            "times": self._times.hexdigest(),
            "values": self._values.hexdigest(),
            "status": self._status.hexdigest(),
        }


Key = tuple[str, str, tuple[str, ...]]
"""Stream, packet type, and the parameters (or the event, or the marker type)."""


@dataclass(slots=True)
class Ledger:
    """The book of one session.

    Attributes:
        accounts: Counts and digests by stream, type and content.
        protocol: Packet types that carry no data (`NewSession` and so on), in order, by stream.
    """

    accounts: dict[Key, Account] = field(default_factory=dict)
    protocol: dict[str, list[str]] = field(default_factory=dict)

    def samples(
        self,
        stream: str,
        kind: str,
        parameters: tuple[str, ...],
        times_ns: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
        status: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        """Enters one packet of samples; status None means that all are valid."""
        flags = np.full(values.shape, VALID, np.uint8) if status is None else status
        self._account(stream, kind, parameters).add(times_ns, values, flags)

    def event(self, stream: str, identifier: str, time_ns: int, values: tuple[float, ...]) -> None:
        """Enters one event."""
        content = struct.pack(f"<{len(values)}d", *values)
        self._account(stream, "Event", (identifier,)).add_record(time_ns, content)

    def marker(self, stream: str, kind: str, time_ns: int, label: str, value: int, description: str) -> None:
        """Enters one marker."""
        content = "\0".join((label, str(value), description)).encode()
        self._account(stream, "Marker", (kind,)).add_record(time_ns, content)

    def other(self, stream: str, kind: str) -> None:
        """Enters a packet of the protocol that carries no data of the car."""
        self.protocol.setdefault(stream, []).append(kind)

    def _account(self, stream: str, kind: str, content: tuple[str, ...]) -> Account:
        key = (stream, kind, content)
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = Account()
        return account

    @property
    def packets(self) -> int:
        """Packets with data of the car."""
        return sum(account.packets for account in self.accounts.values())

    @property
    def samples_count(self) -> int:
        """Single values."""
        return sum(account.samples for account in self.accounts.values())

    def packets_by_stream(self) -> Counter[str]:
        """Packets with data of the car, by stream."""
        counts: Counter[str] = Counter()
        for (stream, _, _), account in list(self.accounts.items()):
            counts[stream] += account.packets
        return counts

    def samples_by_stream(self) -> Counter[str]:
        """Single values, by stream."""
        counts: Counter[str] = Counter()
        for (stream, _, _), account in list(self.accounts.items()):
            counts[stream] += account.samples
        return counts


def differences(written: Ledger, read: Ledger) -> list[str]:
    """What is missing, too much or changed in `read`, one sentence each; an empty list when nothing is."""
    found: list[str] = []
    for key in dict.fromkeys([*written.accounts, *read.accounts]):
        stream, kind, content = key
        where = f"stream '{stream or 'main'}', {kind} of {', '.join(content)}"
        ours, theirs = written.accounts.get(key), read.accounts.get(key)
        if theirs is None and ours is not None:
            found.append(f"{where}: nothing read of {ours.rows:,} written")
        elif ours is None and theirs is not None:
            found.append(f"{where}: {theirs.rows:,} read that were not written")
        elif ours is not None and theirs is not None:
            if (ours.packets, ours.rows, ours.samples) != (theirs.packets, theirs.rows, theirs.samples):
                found.append(
                    f"{where}: written {ours.packets:,} packets with {ours.rows:,} times, "
                    f"read {theirs.packets:,} with {theirs.rows:,}"
                )
            theirs_digests = theirs.digests()
            changed = [name for name, digest in ours.digests().items() if digest != theirs_digests[name]]
            if changed:
                found.append(f"{where}: {' and '.join(changed)} differ")
    return [*found, *_protocol_faults({key[0] for key in written.accounts}, read)]


def _protocol_faults(streams: set[str], read: Ledger) -> list[str]:
    """Every stream of a session starts with NewSession, then the configuration, and ends with EndOfSession."""
    found = []
    for stream in sorted(streams):
        kinds = [kind for kind in read.protocol.get(stream, []) if kind in _ORDER]
        if kinds != list(_ORDER):
            got = ", ".join(kinds) or "nothing"
            found.append(f"stream '{stream or 'main'}': expected {', '.join(_ORDER)} once each in order, read {got}")
    return found


_ORDER = ("NewSession", "Configuration", "EndOfSession")
