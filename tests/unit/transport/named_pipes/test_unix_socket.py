"""The Unix pipe is this user's alone, from its first moment."""

import os
import socket
import stat
from pathlib import Path

import anyio
import pytest

from deskbus.config import SOCKET_NAME
from deskbus.storage.folder_lock import FolderBusyError, is_locked
from deskbus.transport.link import Link
from deskbus.transport.named_pipes import unix_socket
from deskbus.transport.named_pipes.pipe_state import UnsafeDirectoryError
from deskbus.transport.outbox import Flusher


async def test_the_socket_and_its_folder_let_nobody_else_in(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    async with unix_socket.listen(folder, Flusher(), lambda _: None) as path:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert not Path(path).exists()


async def test_a_socket_left_by_a_killed_backend_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    unix_socket.prepare_directory(folder)
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(folder / SOCKET_NAME))
    left.close()
    async with unix_socket.listen(folder, Flusher(), lambda _: None) as path:
        async with await anyio.connect_unix(path):
            pass


@pytest.mark.parametrize("spoil", ["mode", "link", "file"])
def test_an_unsafe_folder_is_refused(tmp_path: Path, spoil: str) -> None:
    folder = tmp_path / "run"
    if spoil == "mode":
        folder.mkdir(mode=0o755)
    elif spoil == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.touch()
    with pytest.raises(UnsafeDirectoryError):
        unix_socket.prepare_directory(folder)


async def test_a_connection_of_another_user_is_closed_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted: list[Link] = []
    monkeypatch.setattr(unix_socket, "peer_uid", lambda _: os.getuid() + 1)
    async with unix_socket.listen(tmp_path / "run", Flusher(), accepted.append) as path:
        async with await anyio.connect_unix(path) as stream:
            with anyio.fail_after(20), pytest.raises(anyio.EndOfStream):
                await stream.receive()
    assert accepted == []


def test_the_kernel_tells_the_peer_s_user() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert unix_socket.peer_uid(ours) == os.getuid()


async def test_a_second_backend_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with unix_socket.reserved(folder):
        assert is_locked(folder, unix_socket.LOCK_NAME)
        async with unix_socket.listen(folder, Flusher(), lambda _: None) as path:
            with (
                pytest.raises(FolderBusyError, match=f"pid {os.getpid()}"),
                unix_socket.reserved(folder),
            ):
                pass
            async with await anyio.connect_unix(path):
                pass
    assert not is_locked(folder, unix_socket.LOCK_NAME)


def test_a_parent_in_which_others_can_rename_is_refused(tmp_path: Path) -> None:
    parent = tmp_path / "open"
    parent.mkdir()
    parent.chmod(0o777)
    with pytest.raises(UnsafeDirectoryError):
        unix_socket.prepare_directory(parent / "run")
    parent.chmod(0o1777)
    unix_socket.prepare_directory(parent / "run")
