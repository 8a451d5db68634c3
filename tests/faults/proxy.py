"""A TCP proxy on loopback that makes a network bad in the ways networks are: slow, narrow, silent, cut.

Everything that fails on the way to a broker is made here, because neither netem nor root can be counted on. Nothing is
ever lost out of the middle of a connection: TCP has no such fault. What a silent network holds back arrives after
healing as a retransmission would, also when its sender has long given up; a connection that ends takes what is under
way along.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Literal, Self

Direction = Literal["up", "down"]
"""`up` is from the client to the broker."""

CHUNK: Final = 64 * 1024
MOST_UNDER_WAY: Final = 8 * 1024 * 1024
"""Bytes of one connection and direction that are on the way; then the sender has to wait, as with a real network."""
SLICE_S: Final = 0.02
"""A throttled line gets what it may send in this time at once."""
CALL_S: Final = 10.0
"""A verb takes effect within milliseconds; when it does not, the proxy is broken and says so."""
AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER that makes closing a reset."""


def reserve(port: int = 0) -> socket.socket:
    """Hold a loopback port (0: a free one) as long as the socket lives, so that only who asks for this one gets it.

    The socket is bound and never listens: connecting is refused, no outgoing connection is given the port, and a
    program that sets SO_REUSEADDR, as servers do, can listen on it. That is Linux's rule; elsewhere nothing is held.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


class Proxy:
    """One listener on loopback that leads to one target; every verb acts at once, also on what is under way.

    Args:
        target: `host:port` that connections lead to; it may be set later, until then they are reset.
        seed: Of the jitter.

    Attributes:
        target: Where new connections lead.
        address: `host:port` for clients, and for the broker to advertise. It stays the same as long as the proxy lives.
    """

    def __init__(self, target: str | None = None, *, seed: int | None = None) -> None:
        self.target = target
        self._reserved = reserve()
        self.address = f"127.0.0.1:{self._reserved.getsockname()[1]}"
        self._random = random.Random(seed)
        self._delay_s = self._jitter_s = 0.0
        self._rate: float | None = None
        self._silent: frozenset[Direction] = frozenset()
        self._line_free_at: dict[Direction, float] = {"up": 0.0, "down": 0.0}
        self._listener: socket.socket | None = None
        self._connections: set[_Connection] = set()
        self._led = 0
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {self.address}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all connections and the listener; the port is free afterwards."""
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            self._do(self._refuse, reset=False)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CALL_S)
        self._loop.close()
        self._reserved.close()

    # The verbs. Each one is in effect when it returns.

    def delay(self, seconds: float, jitter_s: float = 0.0) -> None:
        """Let everything arrive this much later, and up to `jitter_s` more by chance; the order stays."""
        self._set(_delay_s=seconds, _jitter_s=jitter_s)

    def throttle(self, bytes_per_s: float) -> None:
        """Let no more than this through in each direction, all connections together."""
        assert bytes_per_s > 0, "a line without any bytes is half_open()"
        self._set(_rate=bytes_per_s)

    def half_open(self, direction: Literal["both", "up", "down"] = "both") -> None:
        """Accept connections and read, but forward nothing: neither side learns that the other cannot hear it."""
        self._set(_silent=frozenset({"up", "down"} if direction == "both" else {direction}))

    def cut(self) -> None:
        """Close all connections and refuse new ones."""
        self._do(self._refuse, reset=False)

    def reset(self) -> None:
        """Reset all connections; new ones are accepted."""
        self._do(self._end_connections, reset=True)

    def heal(self) -> None:
        """Take everything back; what was held back goes on its way now."""
        self._set(_delay_s=0.0, _jitter_s=0.0, _rate=None, _silent=frozenset())
        self._do(self._listen)

    @property
    def connections(self) -> int:
        """How many connections lead through it."""
        return len(self._connections)

    @property
    def led(self) -> int:
        """How many connections have led through it so far."""
        return self._led

    # Everything below runs in the proxy's own thread.

    def _do(self, what: Callable[..., Coroutine[Any, Any, None]], **arguments: object) -> None:
        asyncio.run_coroutine_threadsafe(what(**arguments), self._loop).result(CALL_S)

    def _set(self, **settings: object) -> None:
        async def change() -> None:
            for name, value in settings.items():
                setattr(self, name, value)
            self._line_free_at = {"up": 0.0, "down": 0.0}
            # Whoever waits looks again, under the new rules.
            self._changed.set()
            self._changed = asyncio.Event()

        self._do(change)

    async def _listen(self) -> None:
        if self._listener is None:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sys.platform != "linux":
                # Where a held port cannot be listened on, it is held by listening.
                self._reserved.close()
            listener.bind(("127.0.0.1", int(self.address.rpartition(":")[2])))
            listener.listen(128)
            listener.setblocking(False)
            self._listener = listener
            # Not `sock_accept`: cancelled at the wrong moment it loses the connection it has accepted.
            self._loop.add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            client, _ = listener.accept()
            connection = _Connection(self, client)
            self._connections.add(connection)
            self._led += 1
            connection.begin()

    async def _refuse(self, *, reset: bool) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        await self._end_connections(reset=reset)

    async def _end_connections(self, *, reset: bool) -> None:
        for connection in tuple(self._connections):
            await connection.end(reset=reset)

    def _forget(self, connection: _Connection) -> None:
        self._connections.discard(connection)

    async def _may_arrive(self, direction: Direction, sent_at: float, chance: float) -> None:
        """Wait until what was sent then may arrive."""
        while True:
            left = sent_at + self._delay_s + self._jitter_s * chance - self._loop.time()
            if direction in self._silent:
                await self._changed.wait()
            elif left > 0:
                await self._unless_changed(left)
            else:
                return

    async def _may_send(self, direction: Direction, wanted: int) -> int:
        """Wait for the line; how many bytes may go now."""
        while self._rate is not None:
            left = self._line_free_at[direction] - self._loop.time()
            if left <= 0:
                size = min(wanted, max(1, int(self._rate * SLICE_S)))
                self._line_free_at[direction] = self._loop.time() + size / self._rate
                return size
            await self._unless_changed(left)
        return wanted

    async def _unless_changed(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)


class _Connection:
    """A client's connection and the one to the target that belongs to it."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._sockets = [client]
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def end(self, *, reset: bool) -> None:
        if self._task is not None:
            await _cancelled(self._task)
        self._close(reset=reset)

    def _close(self, *, reset: bool) -> None:
        for each in self._sockets:
            if reset and each.fileno() >= 0:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            each.close()
        self._proxy._forget(self)

    async def _run(self) -> None:
        client = self._sockets[0]
        try:
            broker = socket.socket()
            self._sockets.append(broker)
            for each in self._sockets:
                each.setblocking(False)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host, _, port = (self._proxy.target or "").rpartition(":")
            if not host:
                raise ConnectionRefusedError
            await asyncio.get_running_loop().sock_connect(broker, (host, int(port)))
            lanes = [_Lane(self._proxy, client, broker, "up"), _Lane(self._proxy, broker, client, "down")]
            async with asyncio.TaskGroup() as group:
                for lane in lanes:
                    group.create_task(lane.read())
                    group.create_task(lane.write())
        except (OSError, ExceptionGroup):
            # One side is gone or was never there: the other one hears of it the hard way.
            self._close(reset=True)
        else:
            self._close(reset=False)


class _Lane:
    """One direction of a connection: what was read and has not arrived yet, in order."""

    def __init__(self, proxy: Proxy, source: socket.socket, sink: socket.socket, direction: Direction) -> None:
        self._proxy, self._source, self._sink, self._direction = proxy, source, sink, direction
        self._under_way: deque[tuple[float, float, bytes]] = deque()
        self._bytes = 0
        self._more, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()

    async def read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.wait()
            data = await loop.sock_recv(self._source, CHUNK)
            self._under_way.append((loop.time(), self._proxy._random.random(), data))
            self._bytes += len(data)
            if self._bytes >= MOST_UNDER_WAY:
                self._room.clear()
            self._more.set()
            if not data:
                return

    async def write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._under_way:
                self._more.clear()
                await self._more.wait()
            sent_at, chance, data = self._under_way[0]
            await self._proxy._may_arrive(self._direction, sent_at, chance)
            if not data:
                # The end of the stream, in its turn; the other direction goes on.
                self._sink.shutdown(socket.SHUT_WR)
                return
            left = memoryview(data)
            while left:
                size = await self._proxy._may_send(self._direction, len(left))
                # Silence may have fallen meanwhile.
                await self._proxy._may_arrive(self._direction, sent_at, chance)
                await loop.sock_sendall(self._sink, left[:size])
                left = left[size:]
            self._under_way.popleft()
            self._bytes -= len(data)
            self._room.set()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
