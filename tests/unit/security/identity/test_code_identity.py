"""An app's identity: its files, or its publisher's signature over them."""

import os
import secrets
import sys
from pathlib import Path

import msgspec
import pytest

from deskbus.security.identity.code_identity import identify
from deskbus.security.identity.content_hash import ATTEMPTS, _content, _file_content
from deskbus.security.identity.signatures import public_key, sign
from deskbus_protocol.manifest import Limits, Manifest, ProgramSpec, WindowSpec

pytestmark = pytest.mark.requirement("3.2")

MANIFEST = Manifest(
    id="desk.ticker",
    name="Ticker",
    windows=[WindowSpec(url="page/index.html?x=1")],
    process=ProgramSpec(kind="python", entry="feed.py"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page/lib").mkdir(parents=True)
    for name in ("page/index.html", "page/lib/own.js", "feed.py", "other.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


CONTENT = "deskbus.security.identity.content_hash._content"
"""The reading of one file, after all were listed."""


def bound(folder: Path, manifest: Manifest = MANIFEST, *, owns: bool = False) -> str:
    identity = identify(manifest, folder, owns_folder=owns)
    assert identity.problem is None
    return identity.bound


@pytest.mark.parametrize(
    ("name", "counts"),
    [("page/index.html", True), ("page/lib/own.js", True), ("feed.py", True), ("other.txt", False)],
)
def test_a_changed_file_of_the_app_makes_it_another(folder: Path, name: str, counts: bool) -> None:
    before, whole = bound(folder), bound(folder, owns=True)
    (folder / name).write_text("changed")
    assert (bound(folder) != before) is counts
    assert bound(folder, owns=True) != whole


INSIDE = ["page/index.html", "page/lib/own.js", "index.html", "feed.py", "lib/own.js", "lib/m.py"]
BESIDE = ["beside/index.html", "beside/main.py", "beside/run.sh", "beside/lib/m.py"]


def with_page(url: str) -> Manifest:
    return Manifest(id="desk.ticker", name="Ticker", windows=[WindowSpec(url=url)])


def with_program(entry: str, *args: str, kind: str = "executable", cwd: str = ".") -> Manifest:
    spec = ProgramSpec(kind=kind, entry=entry, args=list(args), cwd=cwd)  # type: ignore[arg-type]
    return Manifest(id="desk.ticker", name="Ticker", process=spec)


@pytest.mark.parametrize(
    ("manifest", "runs"),
    [
        (with_page("page/index.html"), INSIDE[:2]),
        (with_page("index.html"), INSIDE),
        (with_page("../beside/index.html"), BESIDE),
        (with_program("feed.py", kind="python"), INSIDE),
        (with_program("../beside/main.py", kind="node"), BESIDE),
        (with_program("/bin/sh", "run.sh", cwd="../beside"), BESIDE),
    ],
)
@pytest.mark.parametrize("owns", [True, False])
def test_nothing_that_an_app_runs_changes_unseen(
    tmp_path: Path, manifest: Manifest, runs: list[str], owns: bool
) -> None:
    """Its page and entry, their modules, and what links lead to, inside its folder and outside."""
    folder, far = tmp_path / "app", tmp_path / "far"
    for name in ("app/page/lib", "app/lib", "beside/lib", "far"):
        (tmp_path / name).mkdir(parents=True)
    for name in (*INSIDE, *BESIDE):
        file = tmp_path / name if name in BESIDE else folder / name
        file.write_text(name)
    (far / "code.js").write_text("far")
    for place in (folder, folder / "page", tmp_path / "beside"):
        (place / "linked.js").symlink_to(far / "code.js")
        (place / "linked").symlink_to(far, target_is_directory=True)
        (place / "round").symlink_to(place, target_is_directory=True)
    counts = [tmp_path / name if name in BESIDE else folder / name for name in runs]
    if owns:
        counts += [folder / name for name in INSIDE]
    before = bound(folder, manifest, owns=owns)
    assert bound(folder, manifest, owns=owns) == before
    for path in [*counts, far / "code.js"]:
        kept = path.read_text()
        path.write_text("changed")
        assert bound(folder, manifest, owns=owns) != before, path
        path.write_text(kept)
    assert bound(folder, manifest, owns=owns) == before


def test_packages_count_while_they_are_few_and_to_make_them_many_makes_another_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskbus.security.identity.content_hash.MANY_ENTRIES", 6)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/a.js").write_text("a")
    (tmp_path / "main.js").write_text("main")
    app = with_program("main.js", kind="node")
    seen = [bound(tmp_path, app)]
    (tmp_path / "node_modules/a.js").write_text("changed")
    seen.append(bound(tmp_path, app))
    for number in range(6):
        (tmp_path / f"node_modules/{number}.txt").write_text("")
    seen.append(bound(tmp_path, app))
    (tmp_path / "main.js").write_text("changed")
    seen.append(bound(tmp_path, app))
    assert len(set(seen)) == 4


def test_a_new_a_renamed_and_a_missing_file_make_it_another(folder: Path) -> None:
    seen = {bound(folder)}
    (folder / "page/new.js").write_text("")
    seen.add(bound(folder))
    (folder / "page/new.js").rename(folder / "page/old.js")
    seen.add(bound(folder))
    (folder / "page/old.js").unlink()
    (folder / "page/lib/own.js").unlink()
    seen.add(bound(folder))
    (folder / "page/lib/own.js").symlink_to("../index.html")
    seen.add(bound(folder))
    assert len(seen) == 5


def test_what_the_manifest_says_counts_and_what_it_leaves_to_a_default_does_not(
    folder: Path,
) -> None:
    before = bound(folder)
    assert bound(folder, msgspec.structs.replace(MANIFEST, version="2")) != before
    assert bound(folder, msgspec.structs.replace(MANIFEST, limits=Limits())) == before


def test_a_signed_app_is_its_publisher_s_whatever_it_consists_of(folder: Path) -> None:
    private = secrets.token_bytes(32)
    signed = msgspec.structs.replace(MANIFEST, publisher_key=public_key(private))
    found = []
    for content in ("one", "two"):
        (folder / "feed.py").write_text(content)
        signature = sign(private, identify(signed, folder).content)
        identity = identify(msgspec.structs.replace(signed, signature=signature), folder)
        assert identity.verified
        found.append(identity.bound)
    assert len(set(found)) == 1


@pytest.mark.parametrize("how", ["missing", "of another key", "of other content", "malformed"])
def test_an_app_that_its_publisher_did_not_sign_is_not_trusted(folder: Path, how: str) -> None:
    private = secrets.token_bytes(32)
    claimed = msgspec.structs.replace(MANIFEST, publisher_key=public_key(private))
    content = identify(claimed, folder).content
    signature = {
        "missing": None,
        "of another key": sign(secrets.token_bytes(32), content),
        "of other content": sign(private, "0" * 64),
        "malformed": "!" * 88,
    }[how]
    if signature is not None:
        claimed = msgspec.structs.replace(claimed, signature=signature)
    identity = identify(claimed, folder)
    assert identity.problem
    assert not identity.verified


def test_a_file_that_goes_while_the_others_are_read_is_as_one_that_was_never_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bound(folder, owns=True)
    passing = [folder / f"feed.log.{number}" for number in range(ATTEMPTS - 1)]
    for path in passing:
        path.touch()

    def read(path: Path) -> bytes:
        if path in passing:
            path.unlink()
        return _content(path)

    monkeypatch.setattr(CONTENT, read)
    assert bound(folder, owns=True) == before


def test_files_that_come_and_go_without_end_are_given_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "feed.log").touch()

    def read(path: Path) -> bytes:
        if path.name != "feed.log":
            return _content(path)
        path.unlink()
        try:
            return _content(path)
        finally:
            path.touch()

    monkeypatch.setattr(CONTENT, read)
    assert identify(MANIFEST, folder, owns_folder=True).problem == "its files can't be read"


def test_a_name_that_no_file_can_have_is_a_problem_of_the_app(folder: Path) -> None:
    assert identify(with_page("a\0b/index.html"), folder).problem == "its files can't be read"


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pipes among its files")
def test_a_file_that_becomes_a_pipe_before_it_is_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def becomes_a_pipe(path: Path) -> bytes:
        if path.name == "feed.py":
            path.unlink()
            os.mkfifo(path)
        return _file_content(path)

    monkeypatch.setattr(CONTENT, becomes_a_pipe)
    assert identify(MANIFEST, folder, owns_folder=False).problem is not None


def test_what_a_link_leads_to_counts_with_its_size(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "large").write_bytes(b"x" * 5_000)
    monkeypatch.setattr("deskbus.security.identity.content_hash.MAX_BYTES", 4_000)
    bound(folder)
    (folder / "page/link").symlink_to(folder / "large")
    assert identify(MANIFEST, folder, owns_folder=False).problem is not None


def test_a_file_that_grows_while_it_is_read_is_read_no_further(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grows(path: Path) -> bytes:
        path.write_bytes(b"x" * 5_000)
        return _file_content(path)

    monkeypatch.setattr("deskbus.security.identity.content_hash.MAX_BYTES", 4_000)
    monkeypatch.setattr(CONTENT, grows)
    assert identify(MANIFEST, folder, owns_folder=False).problem is not None
