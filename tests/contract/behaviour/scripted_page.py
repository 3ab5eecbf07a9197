"""ScriptedPage: a client that is a page, driven by scripts that run in it."""

import json
from typing import Any, Protocol

from deskbus_protocol.bus import Mode

LOOK_EVERY_S = 0.02
"""Nothing outside hears of what happens in a page, so its words are fetched."""

BEGIN = """(() => {
    window.words = [];
    deskbus.onState((state) => words.push({ state }));
    deskbus.onGap((gap) => words.push({ gap }));
    words.push({ state: deskbus.state() });
})()"""

SUBSCRIBE = """deskbus.subscribe(%s, ({ topic, payload, redelivery = 0 }) => {
    words.push({ message: { topic, number: payload.number, redelivery } });
    if (payload.held) throw new Error('This is not acknowledged.');
}, { mode: %s })"""

CALL = """(() => {
    const options = { confirm: true, whileClosed: %s };
    deskbus.publish(%s, { number: %d }, options).then(
        () => words.push({ done: %d }),
        ({ code }) => words.push({ done: %d, error: code }),
    );
})()"""


POST = """(() => {
    try {
        deskbus.publish(%s, { number: %d }, { whileClosed: %s });
        words.push({ done: %d });
    } catch ({ code }) {
        words.push({ done: %d, error: code });
    }
})()"""


class _Scriptable(Protocol):
    async def evaluate(self, expression: str, /) -> Any: ...


class ScriptedPage:
    """Operations of a desk's reader. A number is the `done` that the page says at the end."""

    _page: _Scriptable
    _ids = 0

    async def subscribe(self, pattern: str, mode: Mode = "live") -> None:
        await self._page.evaluate(SUBSCRIBE % (json.dumps(pattern), json.dumps(mode)))

    async def call(self, topic: str, number: int, while_closed: str = "refuse") -> int:
        self._ids += 1
        chosen, name = json.dumps(while_closed), json.dumps(topic)
        await self._page.evaluate(CALL % (chosen, name, number, self._ids, self._ids))
        return self._ids

    async def post(self, topic: str, number: int, while_closed: str = "refuse") -> int:
        self._ids += 1
        chosen, name = json.dumps(while_closed), json.dumps(topic)
        await self._page.evaluate(POST % (name, number, chosen, self._ids, self._ids))
        return self._ids

    async def fetch_words(self) -> Any:
        """Everything that the page has said since the last time."""
        return await self._page.evaluate("words.splice(0)")
