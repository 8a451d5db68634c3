"""The proxy that faults are made with does what its verbs say, and nothing else: what it fakes decides other tests."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from proxy import Proxy, reserve

DEADLINE_S = 20.0
SILENT_S = 0.3
"""As long as nothing arrives in this time, nothing arrives."""


class Echo:
    """A server that sends back what it gets, and keeps it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.heard = bytearray()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    self.heard += data
                    connection.sendall(data)
                connection.sendall(b"bye")
            except OSError:
                pass

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.address, seed=1) as made:
        yield made


def connected(proxy: Proxy) -> socket.socket:
    host, _, port = proxy.address.partition(":")
    return socket.create_connection((host, int(port)), DEADLINE_S)


def received(client: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = client.recv(size - len(data))
        assert more, f"the connection ended after {len(data)} of {size} bytes"
        data += more
    return bytes(data)


def asked(client: socket.socket, text: bytes) -> float:
    """Seconds until the echo is back."""
    begin = time.monotonic()
    client.sendall(text)
    assert received(client, len(text)) == text
    return time.monotonic() - begin


def assert_silent(client: socket.socket) -> None:
    client.settimeout(SILENT_S)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(DEADLINE_S)


def sent_and_echoed(client: socket.socket, data: bytes) -> bytes:
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()
    back = received(client, len(data))
    sender.join(DEADLINE_S)
    return back


def test_without_a_fault_every_byte_passes_in_order_and_the_end_in_its_turn(proxy: Proxy) -> None:
    data = random.Random(1).randbytes(3_000_000)
    with connected(proxy) as client:
        assert sent_and_echoed(client, data) == data
        client.shutdown(socket.SHUT_WR)
        assert received(client, 3) == b"bye"
        assert client.recv(1) == b""


def test_a_delay_holds_back_each_direction_and_does_not_narrow_the_line(proxy: Proxy) -> None:
    with connected(proxy) as client:
        proxy.delay(0.2)
        assert 0.4 <= asked(client, b"x") < 2.0
        data = random.Random(2).randbytes(2_000_000)
        begin = time.monotonic()
        assert sent_and_echoed(client, data) == data
        # One chunk after the other would take a quarter of a minute.
        assert time.monotonic() - begin < 5.0
        proxy.heal()
        assert asked(client, b"x") < 0.2


def test_jitter_varies_the_delay_and_keeps_the_order(proxy: Proxy) -> None:
    with connected(proxy) as client:
        proxy.delay(0.0, jitter_s=0.1)
        took = [asked(client, b"x") for _ in range(12)]
        assert max(took) - min(took) > 0.03
        assert max(took) >= 0.05
        numbers = b"".join(n.to_bytes(4, "big") for n in range(200))
        for at in range(0, len(numbers), 4):
            client.sendall(numbers[at : at + 4])
        assert received(client, len(numbers)) == numbers


def test_a_throttle_bounds_the_bytes_per_second_of_all_connections_together(proxy: Proxy) -> None:
    proxy.throttle(100_000)
    with connected(proxy) as one, connected(proxy) as other:
        begin = time.monotonic()
        other.sendall(bytes(40_000))
        assert sent_and_echoed(one, bytes(40_000)) == bytes(40_000)
        received(other, 40_000)
        assert 0.7 < time.monotonic() - begin < 5.0
        one.sendall(bytes(1_000_000))
        begin = time.monotonic()
        proxy.heal()
        received(one, 1_000_000)
        assert time.monotonic() - begin < 2.0


def test_a_cut_closes_every_connection_and_refuses_new_ones_until_it_heals(proxy: Proxy) -> None:
    with connected(proxy) as client:
        asked(client, b"x")
        address = proxy.address
        proxy.cut()
        assert client.recv(1) == b""
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                connected(proxy)
        proxy.cut()
        proxy.heal()
        assert proxy.address == address
        with connected(proxy) as again:
            asked(again, b"x")


@pytest.mark.parametrize("direction", ["both", "up", "down"])
def test_half_open_accepts_reads_and_forwards_nothing_that_way_until_it_heals(
    proxy: Proxy, echo: Echo, direction: str
) -> None:
    with connected(proxy) as before:
        asked(before, b"x")
        proxy.half_open(direction)  # type: ignore[arg-type]
        with connected(proxy) as after:
            for client in (before, after):
                client.sendall(b"hello")
                assert_silent(client)
            assert bytes(echo.heard) == (b"xhellohello" if direction == "down" else b"x")
            proxy.heal()
            for client in (before, after):
                assert received(client, 5) == b"hello"


def test_what_a_silent_network_held_back_arrives_though_its_sender_is_gone(proxy: Proxy, echo: Echo) -> None:
    with connected(proxy) as client:
        asked(client, b"x")
        proxy.half_open("up")
        client.sendall(b"late")
    time.sleep(0.1)
    assert bytes(echo.heard) == b"x"
    proxy.heal()
    end = time.monotonic() + DEADLINE_S
    while bytes(echo.heard) != b"xlate":
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_reset_is_one_and_the_next_connection_works(proxy: Proxy) -> None:
    with connected(proxy) as client:
        asked(client, b"x")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        with connected(proxy) as again:
            asked(again, b"x")


def test_a_target_that_is_gone_shows_as_a_connection_that_ends(proxy: Proxy) -> None:
    with reserve() as gone:
        proxy.target = f"127.0.0.1:{gone.getsockname()[1]}"
        # The end may come as soon as the connection is there: then connecting fails already.
        with suppress(ConnectionError), connected(proxy) as client:
            client.sendall(b"x")
            assert client.recv(1) == b""


def test_no_thread_socket_or_port_stays_behind(echo: Echo) -> None:
    before = threading.active_count()
    with Proxy(echo.address) as made, connected(made) as client:
        asked(client, b"x")
        assert made.connections == 1
    assert made.connections == 0
    assert client.fileno() == -1
    end = time.monotonic() + DEADLINE_S
    while threading.active_count() > before:
        assert time.monotonic() < end
        time.sleep(0.01)
    socket.create_server(("127.0.0.1", int(made.address.partition(":")[2]))).close()


def test_a_reserved_port_refuses_connections_and_can_be_listened_on_again_and_again() -> None:
    with reserve() as held:
        address = held.getsockname()
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, DEADLINE_S)
            with socket.create_server(address), socket.create_connection(address, DEADLINE_S):
                pass
