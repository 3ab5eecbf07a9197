"""`deskbus vault`: the vault of a data folder on which no backend runs at the moment."""

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import msgspec

from deskbus.commands import client
from deskbus.commands.passwords import NoPasswordError, read_password
from deskbus.commands.progress import show_progress
from deskbus.config import VAULT_FOLDER
from deskbus.observability import logging
from deskbus.vault.cipher import SealError, wipe
from deskbus.vault.folder import FolderBusyError
from deskbus.vault.homes import VaultLockedError
from deskbus.vault.records import Name
from deskbus.vault.transfer import export_vault, import_vault
from deskbus.vault.vault import Vault

BUSY = """deskbus: a backend is running on this data directory, and only it may change the vault.
Stop it first, or use vault.rotate and vault.unlock from its shell.
"""
MAX_VALUE_BYTES = 65_536

_CHANGED = {
    "import": "the password is wrong, or the file was changed",
    "vault": "a record of the vault was changed from outside; all others were done",
}


def run(options: Namespace) -> int:
    """Prints JSON; exits with 1 while the vault is locked."""
    logging.configure(level="error")
    vault = Vault(options.data_dir / VAULT_FOLDER)
    try:
        vault.claim()
        return _ACTIONS[options.what](vault, options)
    except FolderBusyError:
        if options.what == "status":
            return client.run(
                Namespace(
                    command="call", method="health.get", params="{}", data_dir=options.data_dir
                )
            )
        sys.stderr.write(BUSY)
    except VaultLockedError as error:
        sys.stderr.write(f"deskbus: the vault is locked: {error.why}\n")
    except SealError:
        what = "import" if options.what == "import" else "vault"
        sys.stderr.write(f"deskbus: {_CHANGED[what]}\n")
    except OSError as error:
        sys.stderr.write(f"deskbus: {error.strerror or 'the vault is not usable'}\n")
    except NoPasswordError as error:
        sys.stderr.write(f"deskbus: {error}\n")
        return 2
    finally:
        vault.close()
    return 1


def _status(vault: Vault, options: Namespace) -> int:
    """Opens the vault where that needs no password; a locked one is told, not an error."""
    if vault.exists:
        try:
            _open(vault, options, ask=False)
        except VaultLockedError:
            pass
    return _print(vault)


def _unlock(vault: Vault, options: Namespace) -> int:
    _open(vault, options)
    return _print(vault)


def _rotate(vault: Vault, options: Namespace) -> int:
    _open(vault, options)
    _must_exist(vault)
    if options.keys != "data":
        vault.rotate_kek()
    if options.keys != "kek":
        vault.rotate_keys(reseal=not options.lazy, progress=show_progress)
    return _print(vault)


def _change_password(vault: Vault, options: Namespace) -> int:
    if vault.exists:
        _open(vault, options)
    password = read_password("New master password", options.new_password_fd, new=True)
    try:
        vault.use_password(password)
    finally:
        wipe(password)
    return _print(vault)


def _use_keychain(vault: Vault, options: Namespace) -> int:
    if vault.exists:
        _open(vault, options)
    vault.use_keychain(options.name)
    return _print(vault)


def _export(vault: Vault, options: Namespace) -> int:
    _open(vault, options)
    _must_exist(vault)
    password = read_password("Password of the export", options.new_password_fd, new=True)
    try:
        left_out = export_vault(vault, Path(options.name), password)
    finally:
        wipe(password)
    if left_out:
        words = "were changed from outside and are not in the export"
        sys.stderr.write(f"deskbus: {left_out} records {words}\n")
    return _print(vault) or int(left_out > 0)


def _import(vault: Vault, options: Namespace) -> int:
    with Path(options.name).open("rb") as file:
        _open(vault, options)
        _must_exist(vault)
        password = read_password("Password of the export", options.new_password_fd)
        try:
            import_vault(vault, file, password, show_progress)
        finally:
            wipe(password)
    return _print(vault)


def _set(vault: Vault, options: Namespace) -> int:
    """A secret of the configuration, from the terminal or standard input."""
    _open(vault, options)
    _must_exist(vault)
    if sys.stdin.isatty():
        value = bytes(read_password(options.name, None))
    else:
        value = sys.stdin.buffer.read(MAX_VALUE_BYTES + 2).removesuffix(b"\n")
    if problem := _problem_of(value):
        sys.stderr.write(f"deskbus: a secret of the configuration {problem}\n")
        return 2
    vault.put(Name("config", "", options.name), value)
    return _print(vault)


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


def _unset(vault: Vault, options: Namespace) -> int:
    _open(vault, options)
    return _print(vault) if vault.delete(Name("config", "", options.name)) else 1


_ACTIONS: dict[str, Callable[[Vault, Namespace], int]] = {
    "status": _status,
    "unlock": _unlock,
    "rotate": _rotate,
    "change-password": _change_password,
    "use-keychain": _use_keychain,
    "export": _export,
    "import": _import,
    "set": _set,
    "unset": _unset,
}


def _open(vault: Vault, options: Namespace, *, ask: bool = True) -> None:
    password = None
    if vault.needs_password and (ask or options.password_fd is not None):
        password = read_password("Master password", options.password_fd)
    try:
        vault.unlock(password)
    finally:
        if password is not None:
            wipe(password)


def _must_exist(vault: Vault) -> None:
    if not vault.exists:
        raise VaultLockedError("there is no keychain; deskbus vault change-password makes one")


def _print(vault: Vault) -> int:
    report = {name: value for name, value in msgspec.to_builtins(vault.status()).items() if value}
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
    return 0
