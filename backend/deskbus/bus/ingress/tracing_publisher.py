"""A publisher whose messages are traced; there is one only where tracing is on."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Raw, UnsetType

from deskbus.bus.broker import Plain, Refuse
from deskbus.bus.ingress.client_publisher import ClientPublisher
from deskbus.bus.ingress.rate_limit import RateLimitedPublisher
from deskbus.bus.pending_requests import Settled
from deskbus.bus.route import Reader, Topic
from deskbus.bus.service import InterApplicationBus
from deskbus.bus.traced_stages import Stages, continued
from deskbus.observability.tracing import conventions
from deskbus.observability.tracing.call_trace import trace_id_of, traceparent_of
from deskbus.observability.tracing.sampling import HeadSampler
from deskbus.observability.tracing.span import Value
from deskbus.observability.tracing.tracer import OpenSpan, Tracer
from deskbus_protocol.bus import PublishParams, RequestParams, RespondParams, SendParams, SendResult
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError

PUBLISH, SEND, REQUEST, RESPOND = "bus.publish", "bus.send", "bus.request", "bus.respond"


class TracingPublisher:
    """Publishes through another publisher. A message that its sender's traceparent or the sampler
    selects gets spans; another that is refused or slow gets one, from times that were taken anyway.
    """

    def __init__(
        self,
        publisher: ClientPublisher | RateLimitedPublisher,
        bus: InterApplicationBus,
        identity: ClientId,
        tracer: Tracer,
        *,
        samples_itself: bool = False,
    ) -> None:
        """`samples_itself`: what its client does not mark was not sampled there."""
        self._publisher = publisher
        self._sampler = HeadSampler(0.0) if samples_itself else tracer.sampler
        self._broker = bus.broker
        self._identity = identity
        self._tracer = tracer
        self.check_durable = publisher.check_durable
        self.when_durable = publisher.when_durable
        self.acknowledge = publisher.acknowledge

    def publish_plain(self, messages: Sequence[Plain], refuse: Refuse) -> Topic | None:
        tracer = self._tracer
        start_ns = tracer.now_ns()
        count = len(messages)
        first = self._sampler.first_of(count)
        told = partial(self._refused, refuse, start_ns)
        if first < count or self._sampler.topics:
            return self._publish_split(messages, first, told)
        routed = self._publisher.publish_plain(messages, told)
        if tracer.now_ns() - start_ns > tracer.slow_ns:
            self._record_alone(PUBLISH, messages[-1].topic, start_ns, "")
        return routed

    def publish(self, topic: str, payload: Raw, options: PublishParams) -> Topic:
        """Raises `DeskbusError` (invalid_topic, permission_denied, unavailable)."""
        tracer = self._tracer
        start_ns = tracer.now_ns()
        span = tracer.begin(
            traceparent_of(options.meta), start_ns=start_ns, sampled=self._sampled(topic)
        )
        if span is not None:
            return self._publish_traced(span, topic, payload, options)
        try:
            return self._publisher.publish(topic, payload, options)
        except DeskbusError as error:
            category, trace_id = error.kind.category, trace_id_of(options.meta)
            self._record_alone(PUBLISH, topic, start_ns, category, trace_id)
            raise

    def send(self, params: SendParams) -> SendResult | None:
        """None, with nothing done, where a person may have to be asked; raises `DeskbusError`."""
        start_ns = self._tracer.now_ns()
        span = self._begin(params, start_ns)
        if span is None:
            return self._publisher.send(params)
        attributes = self._attributes(SEND, params.topic)
        stages = Stages(span)
        try:
            with self._broker.observed(stages):
                sent = self._publisher.send(continued(params, span))
        except DeskbusError as error:
            span.end(f"send {params.topic}", attributes, kind="server", error=error.kind.category)
            raise
        if sent is not None:
            stages.deliver_soon(self._broker.topics.find(params.topic), params)
            span.end(f"send {params.topic}", attributes, kind="server")
        return sent

    def request(self, params: RequestParams, settled: Settled) -> Callable[[], None] | None:
        """As the publisher's own."""
        start_ns = self._tracer.now_ns()
        span = self._begin(params, start_ns)
        topic = params.topic
        if span is None:
            ended = partial(self._answered_alone, topic, start_ns, settled)
            return self._publisher.request(params, ended)
        stages = Stages(span)
        try:
            with self._broker.observed(stages):
                withdraw = self._publisher.request(
                    continued(params, span), partial(self._answered, span, topic, settled)
                )
        except DeskbusError as error:
            self._end_request(span, topic, error.kind.category)
            raise
        if withdraw is not None:
            stages.deliver_soon(self._broker.topics.find(topic), params)
        return withdraw

    def respond(self, params: RespondParams) -> None:
        """Raises `DeskbusError`: not_found, permission_denied, invalid_params."""
        tracer = self._tracer
        span = tracer.begin(traceparent_of(params.meta), start_ns=tracer.now_ns(), sampled=False)
        if span is None:
            self._publisher.respond(params)
            return
        error = ""
        try:
            self._publisher.respond(params)
        except DeskbusError as failed:
            error = failed.kind.category
            raise
        finally:
            span.end("respond", self._attributes(RESPOND, ""), kind="server", error=error)

    def _publish_split(self, messages: Sequence[Plain], first: int, refuse: Refuse) -> Topic | None:
        """Messages that are not traced are passed on in blocks between those that are."""
        routed: Topic | None = None
        at, count = 0, len(messages)
        while at < count:
            traced = self._first_by_topic(messages, at, first)
            if traced > at:
                routed = self._publisher.publish_plain(messages[at:traced], refuse)
            if traced < count:
                routed = self._publish_one(messages[traced], refuse)
            at = traced + 1
            if first < at < count:
                first = at + self._sampler.first_of(count - at)
        return routed

    def _first_by_topic(self, messages: Sequence[Plain], at: int, end: int) -> int:
        """The number of the first of a topic of which all are traced; `end` for none before it."""
        sampler = self._sampler
        if sampler.topics:
            for number in range(at, end):
                if sampler.takes_topic(messages[number].topic):
                    return number
        return end

    def _publish_one(self, message: Plain, refuse: Refuse) -> Topic | None:
        tracer = self._tracer
        span = tracer.begin(None, start_ns=tracer.now_ns(), sampled=True)
        assert span is not None
        options = PublishParams(topic=message.topic, payload=message.payload)
        try:
            return self._publish_traced(span, message.topic, message.payload, options)
        except DeskbusError as error:
            refuse(error, message.topic)
            return None

    def _publish_traced(
        self, span: OpenSpan, name: str, payload: Raw, options: PublishParams
    ) -> Topic:
        stages = Stages(span)
        attributes = self._attributes(PUBLISH, name)
        attributes[conventions.MESSAGING_BODY_SIZE] = len(payload)
        try:
            with self._broker.observed(stages):
                topic = self._publisher.publish(name, payload, continued(options, span))
        except DeskbusError as error:
            span.end(f"publish {name}", attributes, kind="server", error=error.kind.category)
            raise
        attributes[conventions.RECEIVERS] = len(topic.targets)
        attributes[conventions.MESSAGING_MESSAGE_ID] = topic.last_id.decode()
        own = options.correlation_id
        correlation_id = topic.last_id.decode() if isinstance(own, UnsetType) else own
        attributes[conventions.MESSAGING_MESSAGE_CONVERSATION_ID] = correlation_id
        if options.durable:
            self.when_durable(partial(_kept, span.child(), name), name)
        written = partial(self._delivered, span, stages, topic.targets, name, attributes)
        asyncio.get_running_loop().call_soon(written)
        return topic

    def _delivered(
        self,
        span: OpenSpan,
        stages: Stages,
        targets: Sequence[Reader],
        name: str,
        attributes: Mapping[str, Value],
    ) -> None:
        """In the loop's next turn all has been handed to the kernel."""
        stages.end_deliveries(name, [reader.client.identity for reader in targets])
        span.end(f"publish {name}", attributes, kind="server")

    def _answered(
        self, span: OpenSpan, topic: str, settled: Settled, outcome: bytes | DeskbusError
    ) -> None:
        reply = span.child()
        settled(outcome)
        error = outcome.kind.category if isinstance(outcome, DeskbusError) else ""
        reply.end(f"reply {topic}", self._attributes(REQUEST, topic), error=error)
        self._end_request(span, topic, error)

    def _answered_alone(
        self, topic: str, start_ns: int, settled: Settled, outcome: bytes | DeskbusError
    ) -> None:
        settled(outcome)
        if isinstance(outcome, DeskbusError):
            self._record_alone(REQUEST, topic, start_ns, outcome.kind.category)
        elif self._tracer.now_ns() - start_ns > self._tracer.slow_ns:
            self._record_alone(REQUEST, topic, start_ns, "")

    def _end_request(self, span: OpenSpan, topic: str, error: str) -> None:
        span.end(f"request {topic}", self._attributes(REQUEST, topic), kind="server", error=error)

    def _begin(self, params: SendParams | RequestParams, start_ns: int) -> OpenSpan | None:
        return self._tracer.begin(
            traceparent_of(params.meta), start_ns=start_ns, sampled=self._sampled(params.topic)
        )

    def _sampled(self, topic: str) -> bool:
        sampler = self._sampler
        return sampler.takes_one() or sampler.takes_topic(topic)

    def _refused(self, refuse: Refuse, start_ns: int, error: DeskbusError, topic: str) -> None:
        refuse(error, topic)
        self._record_alone(PUBLISH, topic, start_ns, error.kind.category)

    def _record_alone(
        self, method: str, topic: str, start_ns: int, error: str, trace_id: str = ""
    ) -> None:
        self._tracer.record_alone(
            f"{method.removeprefix('bus.')} {topic}",
            "server",
            start_ns,
            self._attributes(method, topic),
            error=error,
            trace_id=trace_id,
        )

    def _attributes(self, method: str, topic: str) -> dict[str, Value]:
        found: dict[str, Value] = {
            conventions.RPC_SYSTEM: conventions.RPC_SYSTEM_JSONRPC,
            conventions.RPC_METHOD: method,
            conventions.RPC_JSONRPC_VERSION: "2.0",
            conventions.MESSAGING_SYSTEM: conventions.MESSAGING_SYSTEM_DESKBUS,
            conventions.APP: self._identity.app,
            conventions.CLIENT: self._identity.client,
        }
        if topic:
            found[conventions.MESSAGING_DESTINATION_NAME] = topic
        return found


def _kept(persisted: OpenSpan, topic: str, durable: bool) -> None:
    attributes = {conventions.MESSAGING_DESTINATION_NAME: topic}
    persisted.end("fsync", attributes, error="" if durable else "degraded")
