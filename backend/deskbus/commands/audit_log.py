"""The log that an audit command reads: its folder, its index, and what is known of its end."""

import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import UNSET

from deskbus.audit.query.index import AuditIndex
from deskbus.audit.query.search import AuditSearch
from deskbus.audit.store.anchor import Anchor, decode_anchor, load_file_anchor
from deskbus.audit.store.audit_folder import ANCHOR, INDEX, KEYS, AuditFolder
from deskbus.audit.store.key_file import is_sealed
from deskbus.audit.verify.verifier import (
    A_COPY,
    NO_KEYCHAIN,
    NOT_YET,
    KnownHead,
    Unanchored,
    known_head_of,
    unread,
)
from deskbus.commands.arguments.times import unix_ms
from deskbus.commands.terminal.passwords import NoPasswordError, read_password
from deskbus.config import AUDIT_FOLDER, VAULT_FOLDER
from deskbus.storage.folder_lock import FolderBusyError
from deskbus.storage.regular_file import read_regular_file
from deskbus_protocol.audit import AuditFilter


class OpenedAuditLog(msgspec.Struct, frozen=True):
    folder: Path
    index: AuditIndex
    search: AuditSearch


class _Kept(msgspec.Struct, frozen=True):
    """The output of `deskbus audit head`."""

    checkpoint: str


def folder_of(options: Namespace) -> Path:
    """A copy of a log, or the log of a data folder."""
    folder: Path = options.log or options.data_dir / AUDIT_FOLDER
    return folder


@contextmanager
def opened(options: Namespace) -> Iterator[OpenedAuditLog]:
    """Opens the log with its index, or with a temporary one beside a running backend; raises
    `OSError`.
    """
    folder = folder_of(options)
    if not folder.is_dir():
        raise FileNotFoundError(2, "there is no audit log there", str(folder))
    claimed = AuditFolder(folder)
    with tempfile.TemporaryDirectory(prefix="deskbus-audit-") as passing:
        place = folder / INDEX
        try:
            claimed.claim()
        except OSError:
            # A backend writes it, or it can't be written: the index of this call lies elsewhere.
            place = Path(passing) / INDEX
        index = AuditIndex(folder, place)
        try:
            index.catch_up()
            yield OpenedAuditLog(folder, index, AuditSearch(folder, index))
        finally:
            index.close()
            claimed.release()


def is_live(folder: Path) -> bool:
    """Whether a backend holds the log; creates no file."""
    if not folder.is_dir():
        return False
    claim = AuditFolder(folder)
    try:
        claim.claim()
    except FolderBusyError:
        return True
    except OSError:
        return False
    claim.release()
    return False


def forget_index(folder: Path) -> None:
    """Drops the index, to be made anew from the verified files; a backend drops its own."""
    claim = AuditFolder(folder)
    with suppress(OSError):
        if folder.is_dir():
            claim.claim()
            try:
                AuditIndex(folder).throw_away()
            finally:
                claim.release()


def anchor_of(options: Namespace) -> tuple[KnownHead | None, Unanchored | None]:
    """The keychain's anchor of the log's end; else the reason why nothing vouches for it.

    The file beside the log is held against it where there is no keychain, and vouches for nothing:
    who can cut the log can change the file.
    """
    folder = folder_of(options)
    sealed = is_sealed(folder / KEYS)
    if options.log is not None:
        return None, None if options.against else A_COPY
    found = _from_vault(options.data_dir / VAULT_FOLDER, options.password_fd)
    if isinstance(found, Anchor):
        return KnownHead("the keychain", found.size, found.root, found.key), None
    if found is not None:
        return None, found
    if sealed:
        return None, unread("the keys of the log are sealed in it, and it is gone")
    beside = load_file_anchor(AuditFolder(folder))
    mark = None
    if beside is not None and beside.key:
        mark = KnownHead(f"the file {ANCHOR}", beside.size, beside.root, beside.key)
    return mark, None if options.against else NO_KEYCHAIN


def _from_vault(place: Path, password_fd: int | None) -> Anchor | Unanchored | None:
    """None where there is no vault. A master password is asked for on a terminal."""
    # Imported late: only this needs the keychain.
    from deskbus.vault.cipher import SealError, wipe
    from deskbus.vault.keys.kek_providers import VaultLockedError
    from deskbus.vault.records.sealed_records import Name
    from deskbus.vault.vault import Vault

    vault = Vault(place)
    if not vault.exists:
        return None
    try:
        vault.claim()
        if vault.needs_password:
            password = read_password("Master password of the vault", password_fd)
            try:
                vault.unlock(password)
            finally:
                wipe(password)
        found = decode_anchor(vault.get(Name("audit", "", "anchor")))
    except FolderBusyError:
        return Unanchored(
            "a backend has the vault with the anchor: that no records are missing at the end is"
            " not proven",
            "Verify in that backend, in its audit panel or with audit.verify",
        )
    except NoPasswordError as error:
        return unread(f"it has a master password: {error}")
    except VaultLockedError as error:
        return unread(error.why)
    except SealError:
        return unread("its files were changed or damaged")
    except OSError as error:
        return unread(error.strerror or "its folder can't be read")
    finally:
        vault.close()
    return found if found is not None and found.key else NOT_YET


def kept_mark(path: Path) -> KnownHead:
    """A checkpoint that was kept: the note itself, or what `head` printed.

    Raises `OSError`, `NoteError`.
    """
    text = read_regular_file(path).decode("utf-8")
    with suppress(msgspec.MsgspecError):
        text = msgspec.json.decode(text, type=_Kept).checkpoint
    return known_head_of(text, path.name)


def filter_of(options: Namespace) -> AuditFilter:
    """Raises `ValueError` for what makes no sense."""
    given = {
        "types": options.type,
        "since": unix_ms(options.since) if options.since else UNSET,
        "until": unix_ms(options.until) if options.until else UNSET,
        "apps": options.app,
        "actors": options.actor,
        "decisions": options.decision,
        "severities": options.severity,
        "correlationId": options.correlation or UNSET,
        "text": options.text or UNSET,
    }
    return msgspec.convert(
        {name: value for name, value in given.items() if value is not UNSET}, AuditFilter
    )
