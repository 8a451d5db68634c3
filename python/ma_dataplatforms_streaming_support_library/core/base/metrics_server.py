"""Metrics over HTTP: ``GET /metrics``, on request only."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING

from ma_dataplatforms_streaming_support_library.core.base.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ma_dataplatforms_streaming_support_library.core.base.logger import ILogger

__all__ = ["MetricsServer"]


class MetricsServer:
    """Answers ``/metrics`` on threads of its own until it is stopped.

    Args:
        text: Makes the answer; called for each request.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        logger: Where requests are logged, as debug; and a warning if other machines reach it.

    Raises:
        OSError: The address cannot be listened on.
    """

    def __init__(self, text: Callable[[], str], host: str, port: int, logger: ILogger) -> None:
        class Handler(BaseHTTPRequestHandler):
            # A client that says nothing does not keep its thread.
            timeout = 5

            def do_GET(self) -> None:
                if self.path.partition("?")[0] != "/metrics":
                    self.send_error(HTTPStatus.NOT_FOUND, "the metrics are at /metrics")
                    return
                body = text().encode()
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                logger.debug(f"metrics server: {self.address_string()} {format % args}")

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        # Where it really listens: a name may stand for any address.
        address = ip_address(str(self._server.server_address[0]))
        if not address.is_loopback:
            logger.warning(
                f"metrics server: listens at {address} port {self.port}, where other machines reach it, and asks "
                "nobody for a password; host 127.0.0.1 is this machine only"
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="telewire-metrics", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
