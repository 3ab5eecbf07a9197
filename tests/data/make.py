"""Makes data folders as this version writes them: `python -m tests.data.make DIR`.

Used once for each version that changes a format, never to renew what is there. In DIR: a log with a
plain and a sealed batch, a vault under the master password `PASSWORD`, the federation's place. In
`DIR-keychain`: a vault under the keychain entry of `entry.json`, with remembered decisions, an
app's saved state and the audit log's keys; the audit log; an installed app.
"""

import sys
from pathlib import Path

import anyio
import msgspec

from deskbus.audit.logger import AuditLogger
from deskbus.components.messaging.sensitive_topics import SensitiveTopics
from deskbus.federation.position_file import Position, PositionFile
from deskbus.persistence.log.message_log import MessageLog
from deskbus.processes.installed_apps import InstalledApp, InstalledApps
from deskbus.security.decisions.decision_store import DecisionStore
from deskbus.security.decisions.decision_table import DecisionTable, UserDecision
from deskbus.storage.clocks import SteadyClock
from deskbus.vault.per_app_store import PerAppStore
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.service import SecretSlot, VaultService
from deskbus.vault.vault import Vault
from deskbus_protocol.apps import SavedState
from deskbus_protocol.events import TicketUsed
from deskbus_protocol.manifest import Manifest, WindowSpec
from deskbus_protocol.permissions import Grant
from deskbus_protocol.wire.rpc import encode
from tests.unit.persistence.rig import NOW_MS, message, write
from tests.unit.vault.fakes import FakeKeychain

PASSWORD = b"a frozen password"
SECRET = Name("apps", "desk.feed", "token")
PLACE = Position(sent=2, stream="s-1", taken=7, position=1)

APP = "desk.feed"
RECORDS = 3
ENTRY = "entry.json"
STATE = SavedState(state=msgspec.Raw(b'{"rows":3}'), version=1, saved_at=NOW_MS)
DECISION = UserDecision(
    app=APP,
    bound="a publisher's key",
    grant=Grant("bus.subscribe", "orders.#"),
    allowed=True,
    holds="always",
    since=NOW_MS,
)
INSTALLED = InstalledApp(
    manifest=Manifest(
        id=APP,
        name="Feed",
        version="1.2",
        publisher="Desk tools",
        windows=[WindowSpec(url="index.html")],
    ),
    folder="/opt/feed",
    hash="00" * 32,
    installed_at=NOW_MS,
)


def make(folder: Path) -> None:
    vault = Vault(folder / "vault", find=lambda _name: None)
    vault.use_password(bytearray(PASSWORD))
    vault.put(SECRET, b"kept")
    sealer = SensitiveTopics(vault, ["orders.own.#"])
    log = MessageLog(folder / "messages", clock_ms=lambda: NOW_MS, sealer=sealer)
    log.open()
    write(log, [message("orders.new", 1)], [message("orders.own.a", 2)], sync=True)
    log.close()
    vault.close()
    PositionFile(folder).save(PLACE)


async def make_under_keychain(folder: Path) -> None:
    keychain = FakeKeychain()
    service = VaultService(Vault(folder / "vault", find=lambda _name: keychain), lambda _: None)
    ledger = DecisionTable()
    store = decision_store(folder, service, ledger)
    await store.open()
    ledger.add(DECISION)
    await store.save()
    await PerAppStore(service, "appstate", 1024).save(APP, encode(STATE))
    logger = audit_logger(folder, service)
    async with logger.running():
        for _ in range(RECORDS):
            await logger.commit(TicketUsed(app=APP))
    service.close()
    await InstalledApps(folder, lambda *_: "").add(INSTALLED)
    ((name, value),) = keychain.entries.items()
    (folder / ENTRY).write_bytes(msgspec.json.encode({"name": name, "value": value}))


def decision_store(folder: Path, service: VaultService, ledger: DecisionTable) -> DecisionStore:
    async def keep_aside() -> str:
        raise AssertionError("the decisions are not believed")

    drawer = SecretSlot(service, "decisions", "remembered")
    return DecisionStore(folder, drawer, ledger, SteadyClock(), keep_aside)


def audit_logger(folder: Path, service: VaultService) -> AuditLogger:
    return AuditLogger(folder / "audit", SecretSlot(service, "audit", "anchor"), boot="run")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    make(place)
    anyio.run(make_under_keychain, place.with_name(f"{place.name}-keychain"))
