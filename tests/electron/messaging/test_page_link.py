"""The link between a page and main in a real Electron: how much goes through, and what does not."""

import json
from collections.abc import AsyncIterator

import pytest

from demo.devtools import Page
from demo.electron import ElectronSession

BURST = 100_000
"""More messages than may wait for one reader in the backend, in one turn of a page."""

LISTEN = """(() => {
    window.seen = { next: 0, disorder: 0, gaps: 0 };
    deskbus.onGap(() => { seen.gaps += 1; });
    return deskbus.subscribe('talk.burst', ({ payload: { n } }) => {
        if (n !== seen.next) seen.disorder += 1;
        seen.next = n + 1;
    });
})()"""

PUBLISH = f"""(() => {{
    window.burst = {{ room: true, refused: 0 }};
    deskbus.onRefused(() => {{ burst.refused += 1; }});
    const text = 'x'.repeat(200);
    for (let n = 0; n < {BURST}; n += 1) {{
        burst.room = deskbus.publish('talk.burst', {{ n, text }}) && burst.room;
    }}
    deskbus.ready().then(() => {{ burst.ready = true; }});
}})()"""

FRAME = '{"jsonrpc":"2.0","method":"bus.publish","params":{"topic":"talk.forged","payload":1}}'
HOSTILE = {
    "a second frame": '0 publish refuse {"topic":"talk.a","payload":1}\n' + FRAME,
    "a frame in the place of a line": FRAME,
    "an envelope that ends early": '0 publish refuse {"topic":"talk.a","payload":1},"id":1',
    "two frames in one line": '0 publish refuse {"topic":"talk.a"}}' + FRAME[:-1],
    "a method of no page": "0 session.leave refuse {}",
    "unbalanced JSON": '0 publish refuse {"topic":"talk.a","payload":[1}',
    "a control character": '0 publish refuse {"topic":"talk.a","payload":"\u0001"}',
    "half a pair": r'0 publish refuse {"topic":"talk.a","payload":"\ud83d"}',
    "too deep": f'0 publish refuse {{"topic":"talk.a","payload":{"[" * 999}{"]" * 999}}}',
}
"""Text that the bridge takes from a page, but that its client would not send."""


@pytest.fixture
async def sender(electron: ElectronSession) -> AsyncIterator[Page]:
    page = await electron.window("?sender")
    await fresh(page)
    yield page
    # A test may have taken its client's place at the bridge.
    await fresh(page)


@pytest.fixture
async def receiver(electron: ElectronSession) -> AsyncIterator[Page]:
    page = await electron.window("?receiver")
    await fresh(page)
    yield page
    await fresh(page)


async def fresh(page: Page) -> None:
    """Loads the page anew, without what tests left in it."""
    await page.until("window.deskbus")
    await page.evaluate("window.old = true")
    await page.call("Page.reload")
    await page.until("window.deskbus && !window.old && deskbus.state() === 'open'")


@pytest.mark.slow
async def test_a_burst_that_is_larger_than_any_queue_arrives_whole_and_in_order(
    sender: Page, receiver: Page
) -> None:
    await receiver.evaluate(LISTEN)
    await sender.evaluate(PUBLISH)
    await receiver.until(f"seen.next === {BURST}", timeout_s=60)
    assert await receiver.evaluate("seen") == {"next": BURST, "disorder": 0, "gaps": 0}
    await sender.until("burst.ready")
    told = await sender.evaluate("burst")
    assert told == {"room": False, "refused": 0, "ready": True}
    assert await sender.evaluate("deskbus.stats().waits > 0")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_text_that_no_client_would_send_becomes_no_frame_and_harms_nobody(
    sender: Page, receiver: Page, text: str
) -> None:
    await receiver.evaluate(
        """(() => {
            window.topics = [];
            return deskbus.subscribe('talk.#', ({ topic }) => topics.push(topic));
        })()"""
    )
    await sender.evaluate(f"""(() => {{
        window.codes = [];
        deskbus.onRefused(({{ code }}) => codes.push(code));
        deskbusBridge.send({json.dumps(text)});
        deskbus.publish('talk.end', 1);
    }})()""")
    await receiver.until("topics.includes('talk.end')")
    # The first line of two is one that a client would send.
    assert await receiver.evaluate("topics") in (["talk.end"], ["talk.a", "talk.end"])
    await sender.until("codes.length === 1")
    assert await sender.evaluate("deskbus.state()") == "open"


HEAR = """((number, resolve) => deskbusBridge.listen((text) => {
    const answer = text.split('\\n').find((line) => line.startsWith(`${number} `));
    if (answer !== undefined) resolve(answer.slice(`${number} `.length));
}))"""
"""Main says all of a turn in one text: a line for the page itself may stand before the answer."""


@pytest.mark.parametrize("json_text", ["", "[]", "{", "{}}", '{},"id":7', "null", '{"a":"\u0002"}'])
async def test_a_call_whose_text_is_no_object_is_answered(sender: Page, json_text: str) -> None:
    """The page's client does not know the number, and hears nothing; the bridge does."""
    answer = await sender.evaluate(f"""(async () => {{
        const heard = new Promise((resolve) => {{
            {HEAR}(99, resolve);
        }});
        deskbusBridge.send({json.dumps(f"99 request refuse {json_text}")});
        return heard;
    }})()""")
    assert json.loads(answer)["error"]["code"] == -32602


@pytest.mark.parametrize("operation", ["publish", "request", "send", "respond", "files.list"])
async def test_a_call_with_a_repeated_or_an_unknown_member_is_answered(
    sender: Page, operation: str
) -> None:
    for members in ('"topic":"talk.a","topic":"talk.b"', '"jsonrpc":"1.0"', '"__proto__":{}'):
        answer = await sender.evaluate(f"""(async () => {{
            const heard = new Promise((resolve) => {{
                {HEAR}(98, resolve);
            }});
            deskbusBridge.send('98 {operation} refuse {{{members},"payload":1}}');
            return heard;
        }})()""")
        assert "error" in json.loads(answer), (operation, members)
