"""A collector for tests: takes OTLP over HTTP, and decodes the protobuf."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

LIMIT_S = 20


class Collector:
    """`status` is what it answers; `gate` holds answers back while it is not set."""

    def __init__(self) -> None:
        self.status = 200
        self.gate = threading.Event()
        self.gate.set()
        self.headers: list[dict[str, str]] = []
        self.spans: list[Any] = []
        self.resources: list[Any] = []
        self.logs: list[Any] = []
        self.asked = 0
        self._arrived = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.asked += 1
                collector.gate.wait(LIMIT_S)
                if collector.status == 200:
                    with collector._arrived:
                        collector.take(self.path, body, dict(self.headers))
                        collector._arrived.notify_all()
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._handler = Handler
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        assert headers["Content-Type"] == "application/x-protobuf"
        self.headers.append(headers)
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append(resource.resource)
                for scope in resource.scope_spans:
                    self.spans += scope.spans
        elif path == "/v1/logs":
            for told in ExportLogsServiceRequest.FromString(body).resource_logs:
                self.resources.append(told.resource)
                for scope in told.scope_logs:
                    self.logs += scope.log_records
        else:
            raise AssertionError(path)

    @contextmanager
    def running(self) -> Iterator[None]:
        """It may be ended and begun anew, on the same port."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.gate.set()
            server.shutdown()
            server.server_close()
            thread.join()

    async def until_spans(self, names: set[str], trace_id: str = "") -> dict[str, Any]:
        """Waits until spans of these names have come; by name."""

        def found() -> dict[str, Any]:
            return {
                span.name: span
                for span in self.spans
                if not trace_id or span.trace_id.hex() == trace_id
            }

        def wait() -> dict[str, Any]:
            with self._arrived:
                if self._arrived.wait_for(lambda: names <= found().keys(), LIMIT_S):
                    return found()
                raise TimeoutError(f"never came: {sorted(names - found().keys())}")

        return await anyio.to_thread.run_sync(wait)


@contextmanager
def collector() -> Iterator[Collector]:
    one = Collector()
    with one.running():
        yield one


def attributes_of(record: Any) -> dict[str, Any]:
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value")) for item in record.attributes
    }
