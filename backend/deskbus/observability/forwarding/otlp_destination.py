"""OtlpDestination: a collector that takes records as OTLP logs over HTTP, in protobuf."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio
import msgspec

from deskbus import __version__
from deskbus.observability.forwarding.alert import Alert
from deskbus.observability.forwarding.destination import DestinationError
from deskbus.observability.otlp_http import CollectorError, post
from deskbus.observability.tracing import conventions
from deskbus_protocol.audit import AuditRecord

LOGS_PATH = "/v1/logs"

SEVERITY_NUMBERS = {"info": 9, "notice": 10, "warning": 13, "critical": 21}
ALERT_SEVERITIES = {"ok": "notice", "off": "notice", "degraded": "warning", "failed": "critical"}
"""SeverityNumber of OpenTelemetry's logs data model: INFO, INFO2, WARN, FATAL."""


class OtlpDestination:
    def __init__(
        self, url: str, *, epoch: str, headers: Callable[[], Awaitable[Mapping[str, str]]]
    ) -> None:
        """`url` is the base of the collector's addresses."""
        self._url = url.rstrip("/") + LOGS_PATH
        self._epoch = epoch
        self._headers = headers

    async def send(self, records: Sequence[AuditRecord], alerts: Sequence[Alert]) -> None:
        """Raises `DestinationError`."""
        headers = await self._headers()

        def send() -> None:
            post(self._url, encode(records, alerts, self._epoch), headers)

        try:
            await anyio.to_thread.run_sync(send, abandon_on_cancel=True)
        except CollectorError as error:
            raise DestinationError(error.reason) from None

    async def close(self) -> None:
        """Does nothing, since no connection is open between requests."""


def encode(records: Sequence[AuditRecord], alerts: Sequence[Alert], epoch: str) -> bytes:
    """An `ExportLogsServiceRequest`."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    request = ExportLogsServiceRequest()
    told = request.resource_logs.add()
    told.schema_url = conventions.SCHEMA_URL
    for name, value in (
        (conventions.SERVICE_NAME, "deskbus"),
        (conventions.SERVICE_VERSION, __version__),
        (conventions.SERVICE_INSTANCE_ID, epoch),
    ):
        told.resource.attributes.add(key=name).value.string_value = value
    scope = told.scope_logs.add()
    scope.scope.name = "deskbus.audit"
    for record in records:
        line = scope.log_records.add()
        line.time_unix_nano = line.observed_time_unix_nano = record.time * 1_000_000
        line.severity_number = SEVERITY_NUMBERS[record.severity]
        line.severity_text = record.severity
        line.event_name = record.type
        line.body.string_value = msgspec.json.encode(record).decode()
        if len(record.trace_id) == 32:
            line.trace_id = bytes.fromhex(record.trace_id)
        line.attributes.add(key="deskbus.audit.seq").value.int_value = record.seq
        named = {conventions.APP: record.app, conventions.CLIENT: record.client}
        for name, value in named.items():
            if value:
                line.attributes.add(key=name).value.string_value = value
    for alert in alerts:
        line = scope.log_records.add()
        line.time_unix_nano = line.observed_time_unix_nano = alert.time * 1_000_000
        line.severity_text = ALERT_SEVERITIES[alert.status]
        line.severity_number = SEVERITY_NUMBERS[line.severity_text]
        line.event_name = "health.changed"
        line.body.string_value = msgspec.json.encode(alert._asdict()).decode()
    return bytes(request.SerializeToString())
