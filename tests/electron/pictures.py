"""Pictures of every page of the control centre, light and dark: `make centre-pictures`.

They lie in build/centre. Each page is taken in the states in which it looks different: with nothing
in it, on a common day, under 10,000 messages a second, and with names that are very long or written
from right to left.
"""

import argparse
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from demo.devtools import Page
from demo.electron import ROOT, ElectronSession, electron_session
from demo.screen import virtual_display
from tests.electron.mainprocess import in_main

PICTURES = ROOT / "build" / "centre"
HERE = Path(__file__).resolve().parent
CENTRE = "/control.html"
NOTICES = (
    "electron.BrowserWindow.getAllWindows()"
    ".filter((each) => each.webContents.getURL().endsWith('/notice.html'))"
)
OTHERS = (
    "electron.BrowserWindow.getAllWindows()"
    f".filter((each) => !each.webContents.getURL().endsWith('{CENTRE}'))"
)
"""Windows that would lie over it."""
NARROW = 700
"""Pixels of a window; below, its pictures are named so."""

SETTLED_S = 3.0
"""Long enough for rates, which come from two looks, and for a few points in each chart."""

PAGES = (
    "overview",
    "bus",
    "bus/#topics",
    "bus/#letters",
    "bus/#queues",
    "bus/#publish",
    "bus/TOPIC",
    "apps",
    "apps/APP",
    "permissions",
    "audit",
    "traces",
    "storage",
    "vault",
    "federation",
    "web",
    "fdc3",
)
LONG = "Consolidated Execution and Allocation Workstation, Northern Desk"
ARABIC = "منصة تداول العملات الأجنبية والسندات"
COMMON = """
[tracing]
enabled = true
[persistence]
topics = ["prices.#", "orders.#"]
sensitive = ["orders.own.#"]
"""


def app(app_id: str, name: str, more: str = "") -> str:
    return f'[[apps]]\nid = "{app_id}"\nname = "{name}"\n{more}\n'


def process(program: Path, rate: int = 0) -> str:
    return (
        'grants = [{ permission = "messaging.write", scope = "#" }, '
        '{ permission = "messaging.read", scope = "#" }]\n'
        f'[apps.process]\nkind = "python"\nentry = "{program}"\nenv = {{ RATE = "{rate}" }}\n'
        "[apps.limits]\nmemory_mb = 512\ncpu_percent = 200\n"
    )


FEED = ROOT / "demo" / "feed.py"
TRAFFIC = HERE / "pages" / "traffic.py"
READER = (
    'grants = [{ permission = "messaging.read", scope = "#" }]\n'
    'declares = [{ permission = "secrets", scope = "own" }]\n'
)
WINDOW = f'[[apps.windows]]\nurl = "{(HERE / "pages" / "page.html").as_uri()}?quiet"\n'
STATES: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    # The configuration, the apps that are launched, an app and a topic that are looked at.
    "empty": (app("desk.quiet", "Quiet", WINDOW), ("desk.quiet",), "", ""),
    "normal": (
        COMMON
        + app("desk.feed", "Price feed", process(FEED))
        + app("desk.orders", "Orders", process(TRAFFIC, 60))
        + app("desk.blotter", "Blotter", READER),
        ("desk.feed", "desk.orders"),
        "desk.feed",
        "prices.EURUSD",
    ),
    "loaded": (
        COMMON
        + app("desk.feed", "Price feed", process(FEED))
        + "".join(app(f"desk.load-{at}", f"Load {at}", process(TRAFFIC, 2500)) for at in range(4))
        + "".join(app(f"desk.idle-{at}", f"Idle {at}", READER) for at in range(30)),
        ("desk.feed", *(f"desk.load-{at}" for at in range(4))),
        "desk.load-1",
        "load.desk-0.quotes",
    ),
    "names": (
        COMMON
        + app("com.example.northern-desk.consolidated.execution-workstation", LONG, process(FEED))
        + app("com.example.arabic", ARABIC, process(TRAFFIC, 60))
        + app("com.example.idle", f"{ARABIC} FX", READER),
        ("com.example.northern-desk.consolidated.execution-workstation", "com.example.arabic"),
        "com.example.arabic",
        "load.desk-0.quotes",
    ),
}


@asynccontextmanager
async def electron(
    config: str, apps: tuple[str, ...], locale: str
) -> AsyncIterator[ElectronSession]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "deskbus.toml").write_text(config)
        env: Mapping[str, str] = {
            "DESKBUS_PYTHON": sys.executable,
            "DESKBUS_DATA_DIR": str(folder / "data"),
            "DESKBUS_CONFIG": str(folder / "deskbus.toml"),
            "DESKBUS_APPS": ",".join(apps),
            "DESKBUS_LOCALE": locale,
        }
        async with (
            virtual_display() as display,
            electron_session(HERE / "main.js", folder, env=env, display=display) as session,
        ):
            yield session


async def take(state: str, pages: list[str], size: tuple[int, int], locale: str) -> None:
    config, apps, an_app, a_topic = STATES[state]
    kind = "" if locale == "en" else f"{locale}-"
    kind += "narrow-" if size[0] < NARROW else ""
    async with electron(config, apps, locale) as session:
        await in_main(session, "shell.openControlCentre().then(() => true)")
        centre = await session.window(CENTRE)
        window = (
            "electron.BrowserWindow.getAllWindows()"
            f".find((each) => each.webContents.getURL().endsWith('{CENTRE}'))"
        )
        await in_main(session, f"void {window}.setContentSize{size}")
        await in_main(session, f"void {window}.setPosition(0, 0)")
        await in_main(session, f"void {OTHERS}.forEach((each) => each.hide())")
        for page in pages:
            there = page.replace("APP", an_app).replace("TOPIC", a_topic)
            if there.endswith("/"):
                continue
            await in_main(session, f"shell.openControlCentre('{there}').then(() => true)")
            await anyio.sleep(SETTLED_S)
            for theme in ("dark", "light"):
                await centre.call(
                    "Emulation.setEmulatedMedia",
                    features=[{"name": "prefers-color-scheme", "value": theme}],
                )
                await picture(session, centre, f"{kind}{state}-{page}-{theme}")


async def picture(session: ElectronSession, centre: Page, name: str) -> None:
    await in_main(session, f"void {NOTICES}.forEach((each) => each.destroy())")
    # Else what lies under the pointer would look as if somebody pointed at it.
    await centre.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    await anyio.sleep(0.4)
    path = PICTURES / f"{name.replace('/', '-').replace('#', '')}.png"
    taken = await session.picture(centre, path)
    sys.stderr.write(f"{path.name}{'' if taken else ' could not be taken'}\n")


async def main() -> None:
    parser = argparse.ArgumentParser(description="Takes pictures of the control centre.")
    parser.add_argument("--states", nargs="*", default=list(STATES))
    parser.add_argument("--pages", nargs="*", default=list(PAGES))
    parser.add_argument("--size", nargs=2, type=int, default=(1360, 860))
    parser.add_argument("--locale", default="en")
    options = parser.parse_args()
    PICTURES.mkdir(parents=True, exist_ok=True)
    width, height = options.size
    for state in options.states:
        await take(state, options.pages, (width, height), options.locale)


if __name__ == "__main__":
    anyio.run(main)
