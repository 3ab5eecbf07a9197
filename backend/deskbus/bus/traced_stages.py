"""The stages of one traced message, as the broker goes through them."""

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from msgspec import UNSET, UnsetType, structs

from deskbus.bus.route import Topic
from deskbus.observability.tracing import conventions
from deskbus.observability.tracing.tracer import OpenSpan
from deskbus_protocol.bus import PublishParams, RequestParams, SendParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.method import TraceContext

TRACED_READERS = 16
"""Readers with a span of their own for one message; the others are counted in its span."""

P = TypeVar("P", PublishParams, SendParams, RequestParams)


class Stages:
    """Records each stage as it ends; deliveries once the kernel has taken the bytes."""

    def __init__(self, span: OpenSpan) -> None:
        self._span = span
        self._stage = span.child()._replace(start_ns=span.start_ns)
        self._delivery: OpenSpan | None = None

    def __call__(self, stage: str) -> None:
        """Ends the present stage and begins the next."""
        ended, self._stage = self._stage, self._span.child()
        if stage == "deliver":
            # Its bytes are with the kernel a little later.
            self._delivery = ended
        else:
            ended.end(stage, {})

    def deliver_soon(self, topic: Topic | None, params: SendParams | RequestParams) -> None:
        """Notes the delivery in the loop's next turn, when everything was handed over to one app or
        the topic's readers.
        """
        app = params.app
        readers = [] if topic is None else [reader.client.identity for reader in topic.targets]
        if not isinstance(app, UnsetType):
            readers = [ClientId(app, "")]
        asyncio.get_running_loop().call_soon(self.end_deliveries, params.topic, readers)

    def end_deliveries(self, topic: str, readers: Sequence[ClientId]) -> None:
        if self._delivery is None:
            return
        end_ns = self._span.tracer.now_ns()
        for reader in readers[:TRACED_READERS]:
            one = self._delivery._replace(span_id=self._span.tracer.new_span_id())
            one.end(
                f"deliver {topic}",
                {
                    conventions.MESSAGING_DESTINATION_NAME: topic,
                    conventions.APP: reader.app,
                    conventions.CLIENT: reader.client,
                },
                kind="producer",
                end_ns=end_ns,
            )


def continued(params: P, span: OpenSpan) -> P:
    """The message with our span as the parent of what its readers do."""
    state = UNSET if isinstance(params.meta, UnsetType) else params.meta.tracestate
    meta = TraceContext(traceparent=span.traceparent, tracestate=state)
    return structs.replace(params, meta=meta)
