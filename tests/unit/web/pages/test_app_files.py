"""Files of an app: what a path may lead to."""

import os
from pathlib import Path

import pytest

from deskbus.config import WebConfig
from deskbus.web.origins.sites import Site, Sites
from deskbus.web.pages import app_files
from deskbus.web.pages.app_files import NoSuchFileError, read
from deskbus_protocol.manifest import Manifest, WindowSpec


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = tmp_path / "apps"
    (folder / "pages").mkdir(parents=True)
    (folder / "pages/index.html").write_text("<p>page</p>")
    (folder / "pages/data.json").write_text("{}")
    (folder / "manifest.json").write_text("{}")
    (folder / "program.py").write_text("secret")
    (tmp_path / "outside.js").write_text("secret")
    (folder / "private").mkdir()
    (folder / "private/log.js").write_text("secret")
    manifest = Manifest(id="a.page", name="A", windows=[WindowSpec(url="pages/index.html")])
    known = Sites(WebConfig(), 7000, [(manifest, folder)]).of("a.page")
    assert known is not None
    return known


def test_a_file_comes_with_its_type_and_a_tag_of_its_content(site: Site) -> None:
    file = read(site, "/pages/index.html")
    assert (file.content, file.is_page) == (b"<p>page</p>", True)
    (site.folder / "pages/index.html").write_text("<p>other</p>")
    assert read(site, "/pages/index.html").tag != file.tag


@pytest.mark.parametrize(
    "path",
    [
        "/../outside.js",
        "/pages/../../outside.js",
        "/pages/./index.html",
        "//pages/index.html",
        "/pages//index.html",
        "/pages/..\\..\\outside.js",
        "/%2e%2e/outside.js",
        "/pages/index.html%00.js",
        "/pages/index.html\0.js",
        "/pages/index.html:stream.html",
        "/pages/index.html.",
        "/pages/index.html ",
        "/c:/outside.js",
        "/CON.js",
        "/lpt1.js",
        "/.hidden.js",
        "/pages/.git/config.js",
        "/program.py",
        "/manifest.json",
        "/pages",
        "/pages/",
        "/",
        "",
        "/pages/\u202eindex.html",
        "/pages/" + "x" * 5000 + ".js",
    ],
)
@pytest.mark.requirement("5.4")
def test_a_path_that_another_system_could_read_otherwise_leads_nowhere(
    site: Site, path: str
) -> None:
    with pytest.raises(NoSuchFileError):
        read(site, path)


def test_a_link_is_followed_within_the_apps_folder_alone(site: Site) -> None:
    (site.folder / "pages/inside.html").symlink_to(site.folder / "pages/index.html")
    (site.folder / "pages/outside.js").symlink_to(site.folder.parent / "outside.js")
    (site.folder / "up").symlink_to(site.folder.parent)
    (site.folder / "pages/renamed.js").symlink_to(site.folder / "program.py")
    assert read(site, "/pages/inside.html").content == b"<p>page</p>"
    for path in ("/pages/outside.js", "/up/outside.js", "/pages/renamed.js"):
        with pytest.raises(NoSuchFileError):
            read(site, path)


def test_nothing_is_served_of_a_closed_folder(site: Site) -> None:
    assert read(site, "/private/log.js").content == b"secret"
    with pytest.raises(NoSuchFileError):
        read(site, "/private/log.js", (site.folder / "private",))


def test_what_is_no_plain_file_is_not_opened(site: Site) -> None:
    os.mkfifo(site.folder / "pages/pipe.js")
    (site.folder / "pages/folder.js").mkdir()
    for path in ("/pages/pipe.js", "/pages/folder.js"):
        with pytest.raises(NoSuchFileError):
            read(site, path)


def test_a_file_that_is_too_large_is_not_served(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_files, "MAX_FILE_BYTES", 10)
    (site.folder / "pages/large.js").write_text("x" * 11)
    with pytest.raises(NoSuchFileError):
        read(site, "/pages/large.js")
