"""Every durable format: what a later version wrote is told as such, and no byte of it changes.

A later version is played by files of today with another number in them, sealed anew where they are
sealed. Each row starts what reads the format in the backend, and returns what it says.
"""

import ast
import contextlib
import json
import sqlite3
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import anyio
import msgspec
import pytest
from crc32c import crc32c

import deskbus
from deskbus.audit.format import checkpoint
from deskbus.audit.format.lines import head_line
from deskbus.audit.format.merkle import Frontier
from deskbus.audit.logger import AuditLogger
from deskbus.audit.reader import AuditReader
from deskbus.audit.store.audit_folder import ANCHOR, INDEX, KEYS, PRUNED
from deskbus.audit.write import chain_writer
from deskbus.commands import audit as audit_command
from deskbus.config import FederationConfig
from deskbus.federation.nats_port import NatsPortError
from deskbus.federation.position_file import FILE_NAME as PLACE
from deskbus.federation.position_file import Position, PositionFile
from deskbus.federation.service import Federation
from deskbus.handlers.apps import own_handlers
from deskbus.observability.forwarding.bookmark import ForwardBookmark
from deskbus.observability.forwarding.destination import Destination
from deskbus.observability.forwarding.forwarder import Forwarder
from deskbus.persistence.log import batch
from deskbus.persistence.log.segment_summary import summary_path
from deskbus.persistence.service import MessagePersistence
from deskbus.processes.installed_apps import FILE_NAME as APPS
from deskbus.processes.installed_apps import InstalledApps
from deskbus.reliability.fair_queue import FairQueue
from deskbus.security.decisions.decision_store import DecisionStore
from deskbus.security.decisions.decision_table import DecisionTable
from deskbus.storage.clocks import SteadyClock
from deskbus.storage.newer_format import NewerFormatError
from deskbus.vault import cipher
from deskbus.vault.cipher import seal
from deskbus.vault.keys.keyset import Purpose
from deskbus.vault.per_app_store import PerAppStore
from deskbus.vault.records.sealed_records import MANIFEST, Name, _Manifest, _manifest_context
from deskbus.vault.records.vault_archive import export_vault, import_vault
from deskbus.vault.service import SecretSlot, VaultService
from deskbus.vault.unlocked_vault import KEYSET
from deskbus.vault.vault import Vault
from deskbus_protocol.audit import AuditQueryParams
from deskbus_protocol.errors import AUDIT_UNAVAILABLE, CONFLICT, NEWER_FORMAT, DeskbusError
from deskbus_protocol.events import TicketUsed
from tests.unit.persistence.rig import message, numbered, opened, write
from tests.unit.processes.test_installed_apps import write as write_app
from tests.unit.vault.fakes import TOKEN, FakeKeychain, password, vault_in

SAYS = "written by a newer deskbus"
EVENT = TicketUsed(app="desk.feed")


class DataFolder(NamedTuple):
    """One data folder, and the keychain that its vault is under."""

    folder: Path
    keychain: FakeKeychain

    @contextlib.contextmanager
    def vault(self) -> Iterator[Vault]:
        vault = vault_in(self.folder / "vault", self.keychain)
        try:
            yield vault
        finally:
            vault.close()

    @contextlib.contextmanager
    def service(self) -> Iterator[VaultService]:
        with self.vault() as vault:
            yield VaultService(vault, lambda _: None)

    def put(self, purpose: Purpose, app: str, name: str, content: object) -> None:
        with self.vault() as vault:
            vault.put(Name(purpose, app, name), msgspec.json.encode(content))

    def logger(self, service: VaultService | None) -> AuditLogger:
        safe = SecretSlot(service, "audit", "anchor") if service else cast("Any", NoSafe())
        return AuditLogger(
            self.folder / "audit", safe, boot="run", has_keychain=lambda: service is not None
        )


class NoSafe:
    exists = False

    async def load(self) -> bytes | None:
        return None

    async def save(self, content: bytes) -> bool:
        return False


class Format(NamedTuple):
    """`sources` are the version constants and structs of the backend that the row is about."""

    name: str
    sources: tuple[str, ...]
    make: Callable[[DataFolder, pytest.MonkeyPatch], Awaitable[None]]
    start: Callable[[DataFolder], Awaitable[str]]


async def refusal_of(asked: Awaitable[object]) -> str:
    """Words by the error of the table that must be raised."""
    with pytest.raises(DeskbusError) as refused:
        await asked
    assert refused.value.kind is NEWER_FORMAT
    assert "newer deskbus" in refused.value.action
    return refused.value.message


# The message log, and the federation's place


async def make_log(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    log = opened(place.folder / "messages")
    write(log, numbered("t", 1, 3), sync=True)
    with patch.context() as later:
        later.setattr(batch, "VERSION", batch.VERSION + 1)
        write(log, numbered("t", 4, 6), sync=True)
    log.close()


async def make_summary(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    log = opened(place.folder / "messages")
    write(log, numbered("t", 1, 3), sync=True)
    log.close(9)
    segment = min((place.folder / "messages").glob("*.seg"))
    log = opened(place.folder / "messages")
    log.close()
    path = summary_path(segment)
    fields = json.loads(path.read_bytes()[4:])
    fields[0] += 1
    body = json.dumps(fields).encode()
    path.write_bytes(crc32c(body).to_bytes(4, "little") + body)


async def start_log(place: DataFolder) -> str:
    persistence = MessagePersistence(place.folder / "messages")
    await persistence.start()
    persistence.append(*message("t", 7))
    assert not await persistence.flush()
    assert persistence.state.status == "degraded"
    await persistence.close()
    return persistence.state.detail


async def make_place(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    PositionFile(place.folder).save(Position(sent=3))
    bump_json(place.folder / PLACE)


async def start_federation(place: DataFolder) -> str:
    async def no_server() -> Any:
        raise NatsPortError("no server")

    federation = Federation(
        FederationConfig(name="desk", topics=["#"]),
        folder=place.folder,
        messages=None,
        connect=no_server,
        admit=lambda _: True,
        is_sound=lambda _: True,
        clock_ms=lambda: 0,
    )
    await federation.run()
    assert federation.health().status == "degraded"
    return federation.health().detail or ""


async def make_bookmark(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    ForwardBookmark(place.folder, "siem").save(3)
    bump_json(place.folder / "siem.json")


async def start_forwarder(place: DataFolder) -> str:
    async def nothing(after: int, limit: int) -> Any:
        raise AssertionError("nothing is read")

    forwarder = Forwarder(
        "siem",
        cast("Destination", SimpleNamespace()),
        ForwardBookmark(place.folder, "siem"),
        newest=lambda: 9,
        read=nothing,
        with_alerts=False,
        from_beginning=False,
    )
    await forwarder.run()
    return forwarder.health().detail or ""


# The vault


async def make_vault(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    with place.vault() as vault:
        vault.put(TOKEN, b"kept")


async def make_record(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    later = cipher._VERSION + 1
    with patch.context() as newer, place.vault() as vault:
        vault.put(Name("apps", "desk.blotter", "other"), b"kept")
        info = {suite: b"deskbus vault %d.%d" % (later, suite) for suite in cipher._INFO}
        newer.setattr(cipher, "_VERSION", later)
        newer.setattr(cipher, "_INFO", info)
        primary = vault._unlocked.primary
        newer.setattr(vault._unlocked, "primary", primary)
        records = vault._unlocked.records
        primary("apps")
        save = records._save

        def save_today(*arguments: Any) -> None:
            newer.undo()
            save(*arguments)

        newer.setattr(records, "_save", save_today)
        records.put([(TOKEN, b"kept")])


async def start_record(place: DataFolder) -> str:
    with place.service() as service:
        assert await service.get("desk.blotter", "other") == "kept"
        await refusal_of(service.set("desk.feed", "token", "another"))
        await refusal_of(service.delete("desk.feed", "token"))
        return await refusal_of(service.get("desk.feed", "token"))


async def make_keyset(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    await make_vault(place, patch)
    replace(place.folder / "vault" / KEYSET, b"deskbus keyset 1\n", b"deskbus keyset 2\n")


async def make_head(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    await make_vault(place, patch)
    replace(place.folder / "vault" / KEYSET, b'"version":1', b'"version":3')


async def make_manifest(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    await make_vault(place, patch)
    with place.vault() as vault:
        vault.open()
        key = vault._unlocked.primary("manifest")
        records = vault._unlocked.records
        later = _Manifest(records._next_generation, list(records._entries.values()), 2)
        content = seal(key.id, key.key, _manifest_context(), msgspec.msgpack.encode(later))
        vault._folder.write(MANIFEST, content)


async def make_entry(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    await make_vault(place, patch)
    for name, value in place.keychain.entries.items():
        place.keychain.entries[name] = value.replace("deskbus-1", "deskbus-2")


async def start_vault(place: DataFolder) -> str:
    entries = dict(place.keychain.entries)
    with place.service() as service:
        await refusal_of(service.get("desk.feed", "token"))
        await refusal_of(service.unlock(None))
        await refusal_of(service.rotate(kek=True, keys=True, progress=lambda *_: None))
        health = service.health()
        assert health.status == "degraded"
        assert SAYS in (health.detail or "")
        words = await refusal_of(service.set("desk.feed", "token", "another"))
    assert place.keychain.entries == entries
    return words


async def make_export(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    await make_vault(place, patch)
    with place.vault() as vault:
        export_vault(vault, place.folder / "export", password())
    replace(place.folder / "export", b"vault export 1\n", b"vault export 2\n")


async def start_import(place: DataFolder) -> str:
    with place.vault() as vault, (place.folder / "export").open("rb") as file:
        with pytest.raises(NewerFormatError) as refused:
            import_vault(vault, file, password())
    return refused.value.words


# Values that the vault keeps for others


async def make_decisions(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    place.put("decisions", "", "remembered", {"version": 3, "more": True})


async def start_decisions(place: DataFolder) -> str:
    async def keep_aside() -> str:
        raise AssertionError("it is set aside")

    with place.service() as service:
        drawer = SecretSlot(service, "decisions", "remembered")
        decisions = DecisionTable()
        store = DecisionStore(place.folder, drawer, decisions, SteadyClock(), keep_aside)
        assert not await store.open()
        assert not await store.save_in_time()
        assert list(decisions) == []
        await refusal_of(store.save())
        return store.problem or ""


async def make_state(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    place.put("appstate", "desk.feed", "value", {"format": 2, "content": "1"})


async def start_state(place: DataFolder) -> str:
    with place.service() as service:
        handlers = own_handlers(
            cast("Any", None), PerAppStore(service, "appstate", 1024), FairQueue(1, of_one=1)
        )
        call = cast("Any", SimpleNamespace(identity=SimpleNamespace(app="desk.feed")))
        saving = SimpleNamespace(state=msgspec.Raw(b"2"), version=1)
        load, save = (cast("Any", handlers[f"apps.{what}State"]) for what in ("load", "save"))
        await refusal_of(save(call, saving))
        return await refusal_of(load(call, None))


# The audit log


async def make_audit(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    logger = place.logger(None)
    async with logger.running():
        await logger.commit(EVENT)


async def make_keys(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    await make_audit(place, patch)
    replace(place.folder / "audit" / KEYS, b"audit keys 1\n", b"audit keys 2\n")


async def make_notes(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    await make_audit(place, patch)
    body = checkpoint._body
    with patch.context() as later:
        later.setattr(checkpoint, "_body", lambda found: body(found) + "format 2\n")
        await make_audit(place, patch)


async def make_lines(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    body = checkpoint._body

    def later_line(note: str, frontier: Frontier) -> bytes:
        return head_line(note, frontier).removesuffix(b"}") + b',"more":1}'

    await make_audit(place, patch)
    with patch.context() as later:
        later.setattr(checkpoint, "_body", lambda found: body(found) + "format 2\n")
        later.setattr(chain_writer, "head_line", later_line)
        await make_audit(place, patch)


async def make_pruned(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    await make_notes(place, patch)
    audit = place.folder / "audit"
    newest = max(audit.glob("audit-*"))
    head = newest.read_bytes().split(b"\n")[0]
    newest.unlink()
    (audit / KEYS).unlink()
    (audit / PRUNED).write_bytes(head + b"\n")


async def make_file_anchor(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    await make_audit(place, patch)
    bump_json(place.folder / "audit" / ANCHOR)


async def start_audit(place: DataFolder) -> str:
    return await start_logger(place.logger(None))


async def make_anchor(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    place.put("audit", "", "anchor", {"version": 2})


async def start_anchored(place: DataFolder) -> str:
    with place.service() as service:
        return await start_logger(place.logger(service))


async def start_logger(logger: AuditLogger) -> str:
    async with logger.running():
        with anyio.fail_after(20), pytest.raises(DeskbusError) as refused:
            await logger.commit(EVENT)
        assert refused.value.kind is AUDIT_UNAVAILABLE
        assert refused.value.action == NEWER_FORMAT.action
        assert logger.health().status == "degraded"
        return logger.health().detail or ""


async def make_index(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    await make_audit(place, patch)
    with contextlib.closing(sqlite3.connect(place.folder / "audit" / INDEX)) as base:
        base.execute("PRAGMA user_version=4")


async def start_reader(place: DataFolder) -> str:
    logger = place.logger(None)
    reader = AuditReader(logger)
    try:
        reader._index.throw_away()
        return await refusal_of(reader.query(AuditQueryParams()))
    finally:
        reader.close()


async def make_proof(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    (place.folder / "export.json").write_text("[]")
    (place.folder / "export.json.proof").write_text('{"version":2,"tree":[]}')
    (place.folder / "record").write_text('{"record":"","proof":{"version":2,"tree":[]}}')
    (place.folder / "consistency").write_text('{"version":2,"tree":[]}')


async def start_check(place: DataFolder) -> str:
    key = "x+1c9f4bd5+AUA="
    words = ""
    for name in ("export.json", "record", "consistency"):
        options = Namespace(key=key, file=place.folder / name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(audit_command, "key_of", lambda options: options.key)
            with pytest.raises(NewerFormatError) as refused:
                audit_command._check(options)
        words = refused.value.words
    return words


# Apps


async def make_apps(place: DataFolder, patch: pytest.MonkeyPatch) -> None:
    installed = InstalledApps(place.folder, lambda *_: "")
    await installed.add(await installed.read(write_app(place.folder / "sample")))
    bump_json(place.folder / APPS)


async def start_apps(place: DataFolder) -> str:
    installed = InstalledApps(place.folder, lambda *_: "")
    installed.load()
    assert installed.apps == []
    app = await installed.read(place.folder / "sample" / "app.json")
    await refusal_of(installed.add(app))
    return installed.problem or ""


FORMATS = [
    Format("message batch", ("persistence.log.batch.VERSION",), make_log, start_log),
    Format("log summary", ("persistence.log.segment_summary.VERSION",), make_summary, start_log),
    Format(
        "federation's place", ("federation.position_file.Position",), make_place, start_federation
    ),
    Format(
        "forwarding's place",
        ("observability.forwarding.bookmark.ForwardedUpTo",),
        make_bookmark,
        start_forwarder,
    ),
    Format("sealed record", ("vault.cipher._VERSION",), make_record, start_record),
    Format("keyset", ("vault.keys.keyset._MAGIC",), make_keyset, start_vault),
    Format(
        "keyset's head",
        ("vault.keys.keyset.VERSION", "vault.keys.keyset.KeysetHead"),
        make_head,
        start_vault,
    ),
    Format("manifest", ("vault.records.sealed_records.VERSION",), make_manifest, start_vault),
    Format("keychain entry", ("vault.keys.kek_providers.VERSION",), make_entry, start_vault),
    Format("export", ("vault.records.vault_archive._MAGIC",), make_export, start_import),
    Format(
        "decisions",
        ("security.decisions.decision_table.DecisionState",),
        make_decisions,
        start_decisions,
    ),
    Format("saved state", ("handlers.apps._Format",), make_state, start_state),
    Format("audit keys", ("audit.store.key_file._MAGIC",), make_keys, start_audit),
    Format("audit notes", ("audit.format.checkpoint.FORMAT",), make_notes, start_audit),
    Format("audit lines", (), make_lines, start_audit),
    Format("pruned heads", (), make_pruned, start_audit),
    Format("audit anchor", ("audit.store.anchor.VERSION",), make_anchor, start_anchored),
    Format("audit anchor's file", (), make_file_anchor, start_audit),
    Format("audit index", ("audit.query.index.VERSION",), make_index, start_reader),
    Format("proof", ("audit.proof.proof_bundle.VERSION",), make_proof, start_check),
    Format("installed apps", ("processes.installed_apps.VERSION",), make_apps, start_apps),
]


NOT_STORED = {"security.identity.content_hash._DOMAIN", "security.identity.signatures._DOMAIN"}
"""Text in front of that which is hashed or signed; another one fits no signature."""


@pytest.mark.requirement("2.4")
@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
async def test_what_a_later_version_wrote_is_told_as_such_and_left_as_it_is(
    row: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = DataFolder(tmp_path, FakeKeychain())
    await row.make(place, monkeypatch)
    before = contents(tmp_path)
    assert before
    said = await row.start(place)
    assert SAYS in said
    assert contents(tmp_path) == before


def test_every_versioned_format_of_the_backend_is_in_the_table() -> None:
    known = {source for row in FORMATS for source in row.sources}
    assert known == set(versioned_sources()) - NOT_STORED


VERSION_AT, SUITE_AT = 4, 5
"""Of a sealed value, behind its magic."""


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("at", [VERSION_AT, SUITE_AT])
async def test_one_flipped_bit_in_a_sealed_record_is_damage(
    at: int, bit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = DataFolder(tmp_path, FakeKeychain())
    await make_vault(place, monkeypatch)
    (pack,) = (tmp_path / "vault").glob("*.pack")
    content = bytearray(pack.read_bytes())
    content[at] ^= 1 << bit
    pack.write_bytes(content)
    with place.service() as service:
        with pytest.raises(DeskbusError) as refused:
            await service.get("desk.feed", "token")
        assert refused.value.kind is CONFLICT
        await service.set("desk.feed", "token", "another")
        assert await service.get("desk.feed", "token") == "another"


@pytest.mark.parametrize("slot", [0, 1])
async def test_one_flipped_bit_in_the_audit_keys_stops_no_record(
    slot: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = DataFolder(tmp_path, FakeKeychain())
    await make_audit(place, monkeypatch)
    keys = tmp_path / "audit" / KEYS
    content = bytearray(keys.read_bytes())
    size = len(content) // 2
    content[slot * size + len(b"deskbus audit keys ")] ^= 2
    assert content.count(b"deskbus audit keys 3\n") == 1
    keys.write_bytes(content)
    await make_audit(place, monkeypatch)
    assert not list((tmp_path / "audit").glob("set-aside-*"))


def versioned_sources() -> Iterator[str]:
    """Version constants, magics with a number, and structs with a version of their own."""
    root = Path(deskbus.__file__).parent
    for path in sorted(root.rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name) and says_a_version(target.id, node.value):
                    yield f"{module}.{target.id}"
            elif isinstance(node, ast.ClassDef) and any(map(is_own_version, node.body)):
                yield f"{module}.{node.name}"


def says_a_version(name: str, value: ast.expr | None) -> bool:
    if not isinstance(value, ast.Constant):
        return False
    if isinstance(value.value, bytes):
        return value.value[-2:-1].isdigit() and value.value.endswith(b"\n")
    return name.strip("_") in ("VERSION", "FORMAT") and isinstance(value.value, int)


def is_own_version(node: ast.stmt) -> bool:
    """A member `version` or `format` whose default is a number above that of a probe, 0."""
    return (
        isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id in ("version", "format")
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, int)
        and node.value.value > 0
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that has anything in it."""
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return {name: content for name, content in found.items() if content}


def replace(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.chmod(0o600)
    path.write_bytes(content.replace(old, new))


def bump_json(path: Path) -> None:
    content = json.loads(path.read_bytes())
    content["version"] += 1
    path.write_text(json.dumps(content))
