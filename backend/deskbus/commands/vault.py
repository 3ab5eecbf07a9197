"""`deskbus vault`: through the backend that runs on the data folder, else on the files themselves.

The answer says which, in `doneBy`.
"""

import errno
import sys
from argparse import Namespace
from pathlib import Path

import msgspec

from deskbus.audit.store.audit_folder import AuditFolder
from deskbus.commands.backend import event_loop
from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import CommandError, MisuseError
from deskbus.commands.terminal.passwords import on_terminal, read_password
from deskbus.commands.vault_access import VaultAccess, VaultOnDisk, VaultThroughBackend
from deskbus.config import AUDIT_FOLDER, VAULT_FOLDER, runtime_dir_for
from deskbus.storage.folder_lock import FolderBusyError
from deskbus.storage.regular_file import open_regular_file
from deskbus.transport.named_pipes.pipe import is_held
from deskbus.vault.cipher import wipe
from deskbus.vault.vault import Vault
from deskbus_protocol.client import Client

MAX_VALUE_BYTES = 65_536

BUSY = "another process uses the vault in {}."
FREE_IT = (
    "Where that is a backend, use the XDG_RUNTIME_DIR that it was started with, or stop it; "
    "where it is another vault command, wait for its end."
)
NO_VAULT = "there is no vault in {} yet."
MAKE_ONE = (
    "deskbus vault unlock makes one in the keychain; "
    "deskbus vault change-password makes one under a master password."
)
NEW_FD = "--new-password-fd"
OF_EXPORT = "Password of the export"

_NEEDS_VAULT = frozenset({"rotate", "export", "unset", "lock"})
_MAKES_VAULT = frozenset({"change-password", "use-keychain", "use-safe-storage"})


def run(options: Namespace) -> int:
    """Answers with 1 where there was nothing to forget, or not all could be exported."""
    vault = Vault(options.data_dir / VAULT_FOLDER)
    if options.what in _NEEDS_VAULT and not vault.exists:
        raise CommandError(NO_VAULT.format(options.data_dir), MAKE_ONE)
    if is_held(runtime_dir_for(options.data_dir)):
        return _through_backend(vault, options)
    return _alone(vault, options)


def _through_backend(vault: Vault, options: Namespace) -> int:
    code = 0

    async def act(client: Client) -> None:
        nonlocal code
        code = await _act(VaultThroughBackend(client), vault, options)

    run_with_client(options, act)
    return code


def _alone(vault: Vault, options: Namespace) -> int:
    code = 0

    async def act() -> None:
        nonlocal code
        code = await _act(VaultOnDisk(vault), vault, options)

    try:
        _keep_backends_out(vault, options)
        event_loop.run(act)
    finally:
        vault.close()
    return code


def _keep_backends_out(vault: Vault, options: Namespace) -> None:
    """Claims the vault; what only looks at one that is not there makes none.

    Raises `CommandError` where a backend of another runtime folder has the data folder.
    """
    audit = options.data_dir / AUDIT_FOLDER
    try:
        if audit.is_dir():
            folder = AuditFolder(audit)
            folder.claim()
            folder.release()
        if vault.exists or options.what not in ("status", "lock"):
            vault.claim()
    except FolderBusyError:
        raise CommandError(BUSY.format(options.data_dir), FREE_IT) from None


async def _act(access: VaultAccess, vault: Vault, options: Namespace) -> int:
    """`vault` is only looked at: whether there is one, and whether it has a password."""
    what, code = options.what, 0
    if what == "status":
        await _look(access, vault, options)
    elif what == "lock":
        await access.lock()
    elif vault.exists or what not in _MAKES_VAULT:
        await _open(access, vault, options)
    if what in ("import", "export", "change-password"):
        code = await _with_password(access, options)
    elif what == "rotate":
        await access.rotate(
            kek=options.keys != "data", keys=options.keys != "kek", reseal=not options.lazy
        )
    elif what == "use-keychain":
        await access.use_keychain(options.name)
    elif what == "use-safe-storage":
        await access.use_safe_storage()
    elif what == "set":
        await access.put(options.name, _secret(options.name))
    elif what == "unset" and not await access.delete(options.name):
        raise CommandError(f"there is no secret {options.name} of the configuration")
    status = msgspec.to_builtins(await access.status())
    output.emit({"doneBy": access.name, **status})
    return code


async def _with_password(access: VaultAccess, options: Namespace) -> int:
    is_import = options.what == "import"
    file = _file(options)
    words = "New master password" if options.what == "change-password" else OF_EXPORT
    password = read_password(words, options.new_password_fd, new=not is_import, option=NEW_FD)
    try:
        if is_import:
            await access.import_from(file, password)
        elif options.what == "change-password":
            await access.use_password(password)
        elif left_out := await access.export(file, password):
            words = "were changed from outside and are not in the export"
            output.tell(f"deskbus: {left_out} records {words}")
            return 1
    finally:
        wipe(password)
    return 0


def _file(options: Namespace) -> Path:
    """Raises `OSError` before a password is asked for in vain."""
    if options.what == "change-password":
        return Path()
    file = Path(options.name).absolute()
    if options.what == "import":
        open_regular_file(file).close()
    elif file.exists():
        raise FileExistsError(errno.EEXIST, "there is such a file already", str(file))
    return file


async def _look(access: VaultAccess, vault: Vault, options: Namespace) -> None:
    """Opens the vault where that needs no password; a locked one is reported, and no error."""
    if access.name == VaultOnDisk.name and vault.exists:
        try:
            await _open(access, vault, options, ask=False)
        except CommandError as error:
            if isinstance(error, MisuseError):
                raise


async def _open(access: VaultAccess, vault: Vault, options: Namespace, *, ask: bool = True) -> None:
    password = None
    locked = (await access.status()).state not in ("unlocked", "memory")
    if locked and vault.needs_password and (ask or options.password_fd is not None):
        password = read_password("Master password", options.password_fd)
    try:
        if locked or options.what == "unlock":
            await access.unlock(password)
    finally:
        if password is not None:
            wipe(password)


def _secret(name: str) -> bytes:
    """A secret of the configuration, from the terminal or standard input; raises `MisuseError`."""
    if on_terminal():
        value = bytes(read_password(name, None))
    elif sys.stdin is None:
        value = b""
    else:
        # One end of line is not a part of it, also where it was written on Windows.
        value = sys.stdin.buffer.read(MAX_VALUE_BYTES + 3).removesuffix(b"\n").removesuffix(b"\r")
    if problem := _problem_of(value):
        raise MisuseError(f"a secret of the configuration {problem}")
    return value


def _problem_of(value: bytes) -> str | None:
    if not value:
        return "is not empty; deskbus vault unset removes one"
    if len(value) > MAX_VALUE_BYTES:
        return f"has {MAX_VALUE_BYTES} bytes at most"
    try:
        value.decode()
    except UnicodeDecodeError:
        return "is text in UTF-8"
    return None
