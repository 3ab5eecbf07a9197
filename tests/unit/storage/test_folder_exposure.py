import sys
from pathlib import Path

import pytest

from deskbus.storage.folder_exposure import exposure


@pytest.mark.skipif(sys.platform == "win32", reason="folders there belong to their user")
def test_a_folder_that_others_can_change_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert exposure(folder) == (False, "")
    folder.mkdir(mode=0o700)
    assert exposure(folder) == (False, "")
    (tmp_path / "link").symlink_to(folder)
    assert "is a link" in exposure(tmp_path / "link")[1]
    folder.chmod(0o770)
    assert exposure(folder)[0] is False
    assert "its group" in exposure(folder)[1]
    folder.chmod(0o777)
    assert exposure(folder)[0] is True
    assert exposure(tmp_path / "link")[0] is True


@pytest.mark.skipif(sys.platform == "win32", reason="folders there belong to their user")
@pytest.mark.parametrize("exists", [True, False])
def test_a_parent_that_others_can_write_into_is_told_unless_it_is_sticky(
    tmp_path: Path, exists: bool
) -> None:
    parent = tmp_path / "parent"
    folder = parent / "middle" / "data"
    parent.mkdir()
    if exists:
        folder.mkdir(parents=True, mode=0o700)
    for mode, anybody, words in (
        (0o755, False, ""),
        (0o777, True, f"anybody on this machine can write into {parent}, and so put another"),
        (0o1777, False, ""),
        (0o775, False, f"its group can write into {parent}, and so put another"),
        (0o1775, False, ""),
    ):
        parent.chmod(mode)
        told = exposure(folder)
        assert told[0] is anybody
        assert told[1].startswith(words)
        assert bool(told[1]) is bool(words)


@pytest.mark.skipif(sys.platform == "win32", reason="folders there belong to their user")
@pytest.mark.parametrize("where", ["beside the link", "behind the link", "the target itself"])
def test_what_is_reached_through_a_link_is_as_exposed_as_both_ends(
    tmp_path: Path, where: str
) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    (far / "real" / "data").mkdir(parents=True)
    near.mkdir()
    (near / "link").symlink_to("../far/real")
    folder = near / "link" / "data"
    assert exposure(folder) == (False, "")
    {"beside the link": near, "behind the link": far, "the target itself": far / "real"}[
        where
    ].chmod(0o777)
    assert exposure(folder)[0] is True


@pytest.mark.skipif(sys.platform == "win32", reason="folders there belong to their user")
def test_a_link_that_leads_to_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link/further")
    assert "is a link" in exposure(tmp_path / "link")[1]
    assert exposure(tmp_path / "link" / "data") == (False, "")
