"""Files for pages: below what was granted, and nowhere else."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from demo.devtools import Page
from tests.electron.conftest import PAGES, Starter
from tests.electron.mainprocess import decide

APP = "test.filer"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files").resolve()


@pytest.fixture(scope="module")
async def page(electron_with: Starter, folder: Path) -> AsyncIterator[Page]:
    (folder / "granted").mkdir()
    (folder / "granted" / "note.txt").write_text("noted")
    (folder / "secret.txt").write_text("secret")
    (folder / "granted" / "link.txt").symlink_to(folder / "secret.txt")
    config = f"""
        [[apps]]
        id = "{APP}"
        name = "Filer"
        declares = [{{ permission = "filesystem.write", scope = "{folder}/granted" }}]
        windows = [{{ url = "{(PAGES / "page.html").as_uri()}?filer" }}]
    """
    async with electron_with(APP, config=config) as session:
        page = await session.window("?filer")
        await page.until("window.deskbus && deskbus.state() === 'open'")
        await decide(session, APP, "filesystem.write", f"{folder}/granted")
        yield page


async def outcome(page: Page, call: str) -> Any:
    return await page.evaluate(f"deskbus.files.{call}.catch((error) => error.category)")


@pytest.mark.requirement("3.2")
async def test_a_page_reads_writes_and_lists_below_what_was_granted(
    page: Page, folder: Path
) -> None:
    read = await outcome(page, f"read('{folder}/granted/note.txt')")
    assert read["content"] == "noted"
    written = await outcome(page, f"write('{folder}/granted/new.txt', 'written')")
    assert written["size"] == 7
    assert (folder / "granted" / "new.txt").read_text() == "written"
    listed = await outcome(page, f"list('{folder}/granted')")
    assert {entry["name"] for entry in listed["entries"]} >= {"note.txt", "new.txt"}


@pytest.mark.requirement("3.2")
@pytest.mark.parametrize("way", ["secret.txt", "granted/../secret.txt", "granted/link.txt"])
async def test_no_way_leads_out_of_what_was_granted(page: Page, folder: Path, way: str) -> None:
    assert await outcome(page, f"read('{folder}/{way}')") == "permission"
    overwrite = f"write('{folder}/{way}', 'overwritten', {{ mode: 'replace' }})"
    assert await outcome(page, overwrite) == "permission"
    assert (folder / "secret.txt").read_text() == "secret"
