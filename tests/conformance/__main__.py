"""FINOS's conformance suite of FDC3, against the agent in a real Electron or in Chromium.

`python -m tests.conformance CHECKOUT [--route electron|browser] [--only NAME]`, where CHECKOUT is a
checkout of finos/FDC3 at some tag. The suite and its npm packages stay outside of this repository's
files: what is built is below `build/conformance`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import anyio
import msgspec

from demo.electron import ROOT, electron_session
from demo.screen import virtual_display
from deskbus.fdc3.directory.app_directory import own_id
from deskbus.fdc3.directory.app_record import AppRecord
from deskbus_protocol.desktop import DESKTOP_APP
from tests.integration.shell import start_shell
from tests.web.chromium import browser, open_app
from tests.web.desk import WebDesk

HERE = Path(__file__).parent
FINOS_SITE = "https://fdc3.finos.org/toolbox/fdc3-conformance"
RUNNER = "Conformance1"
"""The suite's app whose page runs the tests."""

ENGINES = {"electron": "chrome83", "browser": "chrome110"}
LIMIT_S = 900
PACKAGES = ("buffer", "chai", "get-func-name", "mocha", "process", "stream-browserify")
MORE_PACKAGES = ("type-detect", "util", "uuid", "jose", "json-canonicalize")

Evaluate = Callable[[str], Awaitable[Any]]
"""Evaluates an expression in the suite's page."""

START = """(() => {{
    const menu = document.querySelector('#testSuite');
    menu.selectedIndex = [...menu.options].findIndex(({{ value }}) => value === {name});
    document.querySelector('#runButton').click();
}})()"""


class Suite(NamedTuple):
    """The suite as it was built, and the directory with its apps."""

    folder: Path
    version: Literal["2.2", "3.0"]
    tag: str


class Outcome(msgspec.Struct):
    passed: list[str]
    failed: list[tuple[str, str]]
    running: str
    ended: bool


def built(checkout: Path, route: str, scratch: Path) -> Suite:
    """Builds the suite for an engine; what npm has is fetched once for each version."""
    package = json.loads((checkout / "toolbox/fdc3-conformance/package.json").read_text())
    packages = scratch / f"packages-{package['version']}"
    if not (packages / "node_modules").is_dir():
        packages.mkdir(parents=True, exist_ok=True)
        (packages / "package.json").write_text('{"private": true}')
        known = package["dependencies"]
        wanted = [f"{name}@{known.get(name, 'latest')}" for name in (*PACKAGES, *MORE_PACKAGES)]
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--silent")
        subprocess.run(["npm", "install", *quiet, *wanted], cwd=packages, check=True)
    out = scratch / f"suite-{package['version']}-{route}"
    shutil.rmtree(out, ignore_errors=True)
    given = [str(path) for path in (HERE / "build.mjs", checkout, packages, out)]
    subprocess.run(["node", *given, ENGINES[route]], check=True)
    newer = package["version"].startswith("3.")
    return Suite(out, "3.0" if newer else "2.2", package["version"])


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """The folder on this machine's loopback address."""
    words = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]
    async with await anyio.open_process(words, cwd=folder) as server:
        assert server.stdout is not None
        told = (await server.stdout.receive()).decode()
        try:
            yield f"http://127.0.0.1:{told.partition(' port ')[2].split(' ')[0]}"
        finally:
            server.kill()


def records(suite: Suite, site: str) -> str:
    directory = suite.folder / "directories/website-conformance.json"
    return directory.read_text().replace(FINOS_SITE, site)


def configuration(suite: Suite) -> str:
    return f'[fdc3]\ndirectories = ["appd.json"]\nconsent = "allow"\nversion = "{suite.version}"\n'


async def follow(evaluate: Evaluate, name: str) -> Outcome:
    """Runs the tests of a folder of the suite, or `All`; returns how they went."""
    with anyio.fail_after(30):
        while not await evaluate("document.querySelectorAll('#testSuite option').length > 2"):
            await anyio.sleep(0.2)
    await evaluate(START.format(name=json.dumps(name)))
    told = ""
    with anyio.fail_after(LIMIT_S):
        while True:
            outcome = msgspec.convert(await evaluate("outcome"), Outcome)
            if outcome.running != told:
                told = outcome.running
                sys.stderr.write(f"{len(outcome.passed):3} {told}\n")
            if outcome.ended:
                return outcome
            await anyio.sleep(0.5)


async def in_electron(suite: Suite, site: str, scratch: Path, name: str) -> Outcome:
    listed = json.loads(records(suite, site))["applications"]
    runner = next(each for each in listed if each["appId"] == RUNNER)
    (scratch / "appd.json").write_text(records(suite, site))
    (scratch / "deskbus.toml").write_text(configuration(suite))
    env = {
        "DESKBUS_PYTHON": sys.executable,
        "DESKBUS_DATA_DIR": str(scratch / "data"),
        "DESKBUS_CONFIG": str(scratch / "deskbus.toml"),
        "DESKBUS_APPS": own_id(msgspec.convert(runner, AppRecord)),
    }
    main = ROOT / "tests/electron/main.js"
    async with (
        virtual_display() as display,
        electron_session(main, scratch, env=env, display=display) as session,
    ):
        page = await session.window("/apps/app/index.html")
        return await follow(page.evaluate, name)


async def in_browser(suite: Suite, site: str, scratch: Path, name: str) -> Outcome:
    (scratch / "data").mkdir()
    (scratch / "data/appd.json").write_text(records(suite, site))
    config = f"[web]\n{configuration(suite)}"
    async with (
        start_shell(scratch / "data", config=config) as shell,
        browser(scratch / "profile") as context,
    ):
        known = await shell.client.call("web.sites", {}, result=dict)
        urls = {each["app"]: each["url"] for each in known["sites"]}
        desk = WebDesk(shell, scratch, urls | {"com.example.ticker": urls[DESKTOP_APP]})
        desktop = await open_app(desk, context, DESKTOP_APP, "/index.html")
        title = json.loads(records(suite, site))["applications"]
        runner = next(each for each in title if each["appId"] == RUNNER)
        button = desktop.get_by_role("button", name=runner.get("title") or runner["name"])
        async with context.expect_page() as opened:
            await button.last.click()
        page = await opened.value
        return await follow(page.evaluate, name)


async def run(checkout: Path, route: str, name: str) -> bool:
    """Tells how it went on standard output; returns whether everything passed."""
    built_at = ROOT / "build/conformance"
    suite = built(checkout, route, built_at)
    scratch = built_at / f"run-{route}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    began = time.monotonic()
    async with served(suite.folder) as site:
        play = in_electron if route == "electron" else in_browser
        outcome = await play(suite, site, scratch, name)
    for title, error in outcome.failed:
        sys.stdout.write(f"FAILED {title}\n       {error}\n")
    counts = f"{len(outcome.passed)} passed, {len(outcome.failed)} failed"
    took_s = time.monotonic() - began
    sys.stdout.write(f"{suite.tag} {route} {name}: {counts}, {took_s:.0f} s\n")
    return not outcome.failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.conformance", description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--route", choices=sorted(ENGINES), default="electron")
    parser.add_argument("--only", default="All", help="one folder, such as fdc3.userChannels")
    options = parser.parse_args()
    return 0 if anyio.run(run, options.checkout.resolve(), options.route, options.only) else 1


if __name__ == "__main__":
    sys.exit(main())
