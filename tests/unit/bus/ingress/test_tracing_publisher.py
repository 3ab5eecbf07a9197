"""A block of messages of which some are traced."""

from msgspec import Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.ingress.client_publisher import ClientPublisher
from deskbus.bus.ingress.tracing_publisher import TracingPublisher
from deskbus.bus.service import InterApplicationBus
from deskbus.observability.tracing.sampling import HeadSampler
from deskbus.observability.tracing.span import Span
from deskbus.observability.tracing.tracer import Tracer
from deskbus.rpc.compact_frames import CompactParams
from tests.support.linked_backend import linked_backend


async def test_a_block_keeps_its_order_and_loses_nothing_where_some_of_it_is_traced() -> None:
    spans: list[Span] = []
    draws = iter([0.9, 0.2, 0.5, 0.99, 0.1] * 100)
    sampler = HeadSampler(0.2, ["orders.#"], chance=lambda: next(draws))
    tracer = Tracer(sampler, [spans.append], slow_ns=10**12)
    async with linked_backend() as desk:
        reader = await desk.connect("app.two")
        await reader.call("bus.subscribe", {"pattern": "#"})
        await desk.connect("app.one")
        bus: InterApplicationBus = desk.bus
        assert isinstance(bus.broker, MessageBroker)
        (member,) = [m for m in bus.members if m.identity.app == "app.one"]
        publisher = TracingPublisher(
            ClientPublisher(bus, member, desk.log), bus, member.identity, tracer
        )
        topics = ["prices.a", "orders.new", "prices.b"]
        block = [CompactParams(topics[n % 3], Raw(b"%d" % n)) for n in range(60)]
        routed = publisher.publish_plain(block, lambda error, _: None)
        await reader.call("session.ping", {})
        got = [params for method, params in reader.told if method == "bus.message"]
    assert [message["payload"] for message in got] == list(range(60))
    assert routed is not None
    assert routed.name == "prices.b"
    marked = [m["payload"] for m in got if "_meta" in m]
    assert {n for n in range(60) if n % 3 == 1} <= set(marked)
    assert 20 < len(marked) < 60
    assert len([span for span in spans if span.name.startswith("publish ")]) == len(marked)
