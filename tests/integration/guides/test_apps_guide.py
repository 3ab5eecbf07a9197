"""The samples of the page on apps as processes, as they stand there."""

import re
import shutil
from pathlib import Path

import anyio
import msgspec
import pytest

from demo.electron import ROOT
from tests.conftest import absent
from tests.integration.shell import start_shell

LIMIT_S = 30
GUIDE = (ROOT / "docs/apps.md").read_text("utf-8")
FEEDS = {
    language: next(
        sample
        for sample in re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
        if "prices.EURUSD" in sample
    )
    for language in ("python", "js")
}

CONFIG = """
[[apps]]
id = "com.example.feed"
name = "Price feed"
grants = [{{ permission = "messaging.write", scope = "prices.#" }}]
process = {{ kind = "{kind}", entry = "{entry}", ready = "told" }}

[[apps]]
id = "com.example.ticker"
name = "Ticker"
grants = [{{ permission = "messaging.read", scope = "prices.#" }}]
"""


@pytest.mark.requirement("6.1")
@pytest.mark.parametrize(
    ("language", "kind", "entry"), [("python", "python", "feed.py"), ("js", "node", "feed.js")]
)
async def test_the_price_feed_of_the_page_publishes_prices(
    tmp_path: Path, language: str, kind: str, entry: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    if kind == "node":
        if shutil.which("node") is None:
            absent("there is no node")
        package = data / "node_modules/deskbus-electron"
        package.parent.mkdir()
        package.symlink_to(ROOT / "electron-bridge")
    (data / entry).write_text(FEEDS[language])
    async with (
        start_shell(data, config=CONFIG.format(kind=kind, entry=entry)) as shell,
        shell.app("com.example.ticker") as ticker,
        ticker.subscribe("prices.#") as prices,
    ):
        with anyio.fail_after(LIMIT_S):
            await shell.client.call("apps.launch", {"app": "com.example.feed"})
            first = await prices.receive()
            second = await prices.receive()
    assert first.topic == second.topic == "prices.EURUSD"
    assert first.sender.app == "com.example.feed"
    bids = [msgspec.json.decode(each.payload)["bid"] for each in (first, second)]
    assert 1.0842 < bids[0] < bids[1]
