"""Files of pages on the real file system: what is refused did not happen."""

import os
from pathlib import Path

import pytest

from deskbus.security.confined_files import ConfinedFiles
from deskbus_protocol.errors import DeskbusError

pytestmark = pytest.mark.requirement("3.2")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A canonical folder, with one that nobody reaches and one that nobody changes beside it."""
    for name in ("open", "closed", "sealed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return tmp_path.resolve()


@pytest.fixture
def files(place: Path) -> ConfinedFiles:
    return ConfinedFiles(closed=(place / "closed",), sealed=(place / "sealed",))


def test_a_file_is_written_read_in_parts_and_listed(files: ConfinedFiles, place: Path) -> None:
    path = str(place / "open/new")
    assert files.write(path, b"hello", "create") == 5
    assert files.write(path, b" world", "append") == 11
    assert files.read(path, 6, 3).content == b"wor"
    assert files.read(path, 0, 100).size == 11
    assert [entry.name for entry in files.list(str(place / "open"), 10)] == ["file", "new"]
    assert (place / "open/new").stat().st_mode & 0o777 == 0o600


def test_create_leaves_what_is_there_alone(files: ConfinedFiles, place: Path) -> None:
    with pytest.raises(DeskbusError, match="already"):
        files.write(str(place / "open/file"), b"new", "create")
    assert (place / "open/file").read_text() == "open"


def test_replace_puts_the_whole_file_in_place_and_keeps_its_mode(
    files: ConfinedFiles, place: Path
) -> None:
    (place / "open/file").chmod(0o640)
    files.write(str(place / "open/file"), b"new", "replace")
    assert (place / "open/file").read_text() == "new"
    assert (place / "open/file").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in (place / "open").iterdir()] == ["file"]


@pytest.mark.parametrize("mode", ["create", "replace", "append"])
def test_a_link_in_place_of_the_file_is_not_followed(
    files: ConfinedFiles, place: Path, mode: str
) -> None:
    (place / "open/link").symlink_to(place / "target")
    (place / "target").write_text("before")
    with pytest.raises(DeskbusError):
        files.write(str(place / "open/link"), b"after", mode)  # type: ignore[arg-type]
    with pytest.raises(DeskbusError):
        files.read(str(place / "open/link"), 0, 100)
    assert (place / "target").read_text() == "before"


def test_a_folder_that_became_a_link_after_the_check_is_not_entered(
    files: ConfinedFiles, place: Path
) -> None:
    """The race between check and use: the canonical path was right when it was checked."""
    checked = str(place / "open/below/file")
    (place / "open/below").symlink_to(place / "closed")
    with pytest.raises(DeskbusError, match="in the way"):
        files.read(checked, 0, 100)
    with pytest.raises(DeskbusError, match="in the way"):
        files.write(checked, b"after", "replace")
    with pytest.raises(DeskbusError, match="in the way"):
        files.list(str(place / "open/below"), 10)
    assert (place / "closed/file").read_text() == "closed"


def test_some_places_are_reached_by_nobody(files: ConfinedFiles, place: Path) -> None:
    for path in (str(place / "closed/file"), "/proc/self/environ", "/dev/null", "/sys/kernel"):
        with pytest.raises(DeskbusError, match="No app may reach"):
            files.read(path, 0, 100)
    assert files.read(str(place / "sealed/file"), 0, 100).content == b"sealed"
    with pytest.raises(DeskbusError, match="No app may reach"):
        files.write(str(place / "sealed/file"), b"after", "replace")
    assert (place / "sealed/file").read_text() == "sealed"


def test_only_ordinary_files_are_opened(files: ConfinedFiles, place: Path) -> None:
    os.mkfifo(place / "open/pipe")
    for name in ("open/pipe", "open"):
        with pytest.raises(DeskbusError, match="no ordinary file"):
            files.read(str(place / name), 0, 100)
    with pytest.raises(DeskbusError, match="no ordinary file"):
        files.write(str(place / "open/pipe"), b"x", "replace")


def test_what_is_not_there_is_told_without_its_path(files: ConfinedFiles, place: Path) -> None:
    with pytest.raises(DeskbusError) as missing:
        files.read(str(place / "open/none"), 0, 100)
    assert missing.value.kind.name == "not_found"
    assert str(place) not in missing.value.message


def test_a_closed_folder_is_not_reached_under_another_name_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a file system does not tell letter cases apart, or it is mounted a second time."""
    place = tmp_path.resolve()
    (place / "open").mkdir()
    (place / "open/file").write_text("closed")
    files = ConfinedFiles(closed=(place / "open",), sealed=())
    for check in ("check_read", "check_write"):
        monkeypatch.setattr(files, check, lambda path: None)
    with pytest.raises(DeskbusError, match="No app may reach this"):
        files.read(str(place / "open/file"), 0, 10)
    with pytest.raises(DeskbusError, match="No app may reach this"):
        files.list(str(place / "open"), 10)
    with pytest.raises(DeskbusError, match="No app may reach this"):
        files.write(str(place / "open/new"), b"x", "create")
    assert not (place / "open/new").exists()


def test_a_sealed_file_is_not_changed_through_a_second_name_of_it(
    files: ConfinedFiles, place: Path
) -> None:
    (place / "policy").write_text("deny")
    (place / "open/link").hardlink_to(place / "policy")
    kept = ConfinedFiles(closed=(), sealed=(place / "policy",))
    for path in (place / "policy", place / "open/link"):
        with pytest.raises(DeskbusError, match="No app may reach this"):
            kept.write(str(path), b"allow", "append")
    assert (place / "policy").read_text() == "deny"
    assert files.read(str(place / "open/link"), 0, 10).content == b"deny"


def test_of_a_huge_folder_the_first_names_are_listed(files: ConfinedFiles, place: Path) -> None:
    for number in range(300):
        (place / f"open/n{number:04}").touch()
    names = [entry.name for entry in files.list(str(place / "open"), 5)]
    assert names == ["file", "n0000", "n0001", "n0002", "n0003"]


def test_a_huge_folder_is_listed_page_by_page(files: ConfinedFiles, place: Path) -> None:
    for number in range(300):
        (place / f"open/n{number:04}").touch()
    pages, after = [], ""
    while page := [entry.name for entry in files.list(str(place / "open"), 100, after)]:
        pages.append(len(page))
        assert page[0] > after
        after = page[-1]
    assert pages == [100, 100, 100, 1]


def test_a_hard_link_reaches_nothing_that_its_other_name_does_not(
    files: ConfinedFiles, place: Path
) -> None:
    (place / "closed/deep").mkdir()
    (place / "closed/deep/key").write_text("key")
    (place / "open/key").hardlink_to(place / "closed/deep/key")
    (place / "open/config").hardlink_to(place / "sealed/file")
    (place / "open/other").hardlink_to(place / "open/file")
    for act in (
        lambda: files.read(str(place / "open/key"), 0, 100),
        lambda: files.write(str(place / "open/key"), b"x", "append"),
        lambda: files.write(str(place / "open/config"), b"x", "append"),
    ):
        with pytest.raises(DeskbusError, match="No app may reach this"):
            act()
    assert (place / "closed/deep/key").read_text() == "key"
    assert (place / "sealed/file").read_text() == "sealed"
    # A file that nobody may change may be read, and an app's own links are its own.
    assert files.read(str(place / "open/config"), 0, 100).content == b"sealed"
    files.write(str(place / "open/other"), b"!", "append")
    assert files.read(str(place / "open/file"), 0, 100).content == b"open!"
    # A replaced file is another: its name leads to the protected one no longer.
    files.write(str(place / "open/config"), b"mine", "replace")
    assert (place / "sealed/file").read_text() == "sealed"


def test_where_there_is_too_much_to_compare_with_a_second_name_is_refused(
    files: ConfinedFiles, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskbus.security.confined_files.MAX_OWN_FILES", 0)
    (place / "open/other").hardlink_to(place / "open/file")
    with pytest.raises(DeskbusError, match="No app may reach this"):
        files.read(str(place / "open/other"), 0, 100)
