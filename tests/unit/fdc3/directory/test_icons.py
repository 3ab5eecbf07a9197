"""Icons of apps: only small pictures, from where the record may have them, and never late."""

import struct
import threading
from pathlib import Path

import anyio
import msgspec
import pytest

from deskbus.fdc3.directory import icons as module
from deskbus.fdc3.directory.app_record import AppRecord, Icon
from deskbus.fdc3.directory.icons import (
    AT_ONCE,
    MAX_SHOWN_BYTES,
    Icons,
    best_icon,
    load_icon,
    picture_of,
)
from deskbus.fdc3.directory.sources import SourceError
from deskbus_protocol.ui import MAX_ICON_BYTES, Choice
from tests.support.pictures import data_url, png

pytestmark = pytest.mark.requirement("F")


JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0000b080010002001011100")
GIF = b"GIF89a" + struct.pack("<HH", 16, 32) + b"\0\0\0"


def record(app_id: str, *sources: str) -> AppRecord:
    return AppRecord(app_id=app_id, icons=[Icon(src=source) for source in sources])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (png(48), ("png", 48, 48)),
        (JPEG, ("jpeg", 32, 16)),
        (GIF, ("gif", 16, 32)),
        (b"<svg/>", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"\xff\xd8\xff\xe0\0\x10", None),
        (b"\xff\xd8\xff\xe0\xff\xff" + b"\0" * 20, None),
        (b"", None),
    ],
)
def test_a_picture_is_known_by_its_content(
    content: bytes, expected: tuple[str, int, int] | None
) -> None:
    assert picture_of(content) == expected


def test_an_icon_is_what_a_choice_may_have(tmp_path: Path) -> None:
    (tmp_path / "chart.png").write_bytes(png())
    data = load_icon(Icon(src="chart.png"), tmp_path)
    made = msgspec.convert({"id": "1", "label": "Chart", "icon": data}, Choice)
    assert made.icon == data_url(png())
    # The kind that its record names does not count.
    assert load_icon(Icon(src=data_url(png(), "gif")), None) == data_url(png())


@pytest.mark.parametrize(
    "source",
    [
        "../secret.png",
        "/etc/hostname",
        "file:///etc/hostname",
        "http://icons.example.com/chart.png",
        "javascript:alert(1)",
        "data:image/png,plain",
        data_url(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg+xml"),
        data_url(png(20_000)),
        data_url(png(padding=MAX_ICON_BYTES)),
        "data:image/png;base64,!!",
        "missing.png",
    ],
)
async def test_what_is_no_small_picture_of_its_own_folder_is_no_icon(
    tmp_path: Path, source: str
) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    folder = tmp_path / "apps"
    folder.mkdir()
    with pytest.raises((SourceError, OSError, ValueError)):
        load_icon(Icon(src=source), folder)
    icons = Icons()
    icons.directory_changed({"chart": folder})
    async with icons.running():
        assert await icons.of([record("chart", source)]) == {}


def test_a_record_that_was_downloaded_names_no_file_of_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "chart.png"
    file.write_bytes(png())
    for source in (str(file), file.as_uri(), "chart.png"):
        with pytest.raises(SourceError, match="https"):
            load_icon(Icon(src=source), None)


def test_the_smallest_icon_that_need_not_grow_is_taken_and_no_drawing() -> None:
    sizes = {"16x16": "small", "64x64": "right", "512x512": "large"}
    offered = [Icon(src=f"https://x/{name}.png", size=size) for size, name in sizes.items()]
    offered.append(Icon(src="https://x/drawn.svg", size="34x34"))
    assert best_icon(offered).src == "https://x/right.png"


async def test_an_icon_that_comes_late_is_there_for_the_next_dialog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def slowly(*_: object) -> bytes:
        asked.set()
        answered.wait(10)
        return png()

    monkeypatch.setattr(module, "fetch", slowly)
    icons, wanted = Icons(), [record("chart", "https://icons.example.com/chart.png")]
    monkeypatch.setattr(module, "WITHIN_S", 0.01)
    async with icons.running():
        with anyio.fail_after(10):
            while not asked.is_set():
                assert await icons.of(wanted) == {}
        answered.set()
        with anyio.fail_after(10):
            while not (found := await icons.of(wanted)):
                await anyio.lowlevel.checkpoint()
    assert found == {"chart": data_url(png())}


async def test_threads_that_no_dialog_waits_for_any_more_count_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    all_asked, answered = threading.Event(), threading.Event()

    def slowly(address: str, *_: object) -> bytes:
        asked.append(address)
        if len(asked) == AT_ONCE:
            all_asked.set()
        answered.wait(10)
        return png()

    def apps(dialog: int) -> list[AppRecord]:
        names = [f"app-{dialog}-{number}" for number in range(AT_ONCE)]
        return [record(name, f"https://icons.example.com/{name}.png") for name in names]

    monkeypatch.setattr(module, "fetch", slowly)
    monkeypatch.setattr(module, "WITHIN_S", 0.05)
    icons = Icons()
    try:
        async with icons.running():
            with anyio.fail_after(10):
                while not all_asked.is_set():
                    await icons.of(apps(0))
            for dialog in range(1, 4):
                assert await icons.of(apps(dialog)) == {}
            assert len(asked) == AT_ONCE
            answered.set()
            with anyio.fail_after(10):
                while len(await icons.of(apps(3))) < AT_ONCE:
                    await anyio.lowlevel.checkpoint()
    finally:
        answered.set()


async def test_a_failure_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def fails(address: str, *_: object) -> bytes:
        tried.append(address)
        raise OSError("no network")

    monkeypatch.setattr(module, "fetch", fails)
    icons, wanted = Icons(), [record("chart", "https://icons.example.com/chart.png")]
    async with icons.running():
        assert [await icons.of(wanted) for _ in range(3)] == [{}, {}, {}]
    assert len(tried) == 1


async def test_a_dialog_has_no_more_icons_than_it_can_carry() -> None:
    one = data_url(png(padding=40_000))
    icons = Icons()
    async with icons.running():
        found = await icons.of([record(f"app-{number}", one) for number in range(30)])
    assert found
    assert sum(len(data) for data in found.values()) <= MAX_SHOWN_BYTES
