"""The matters that need an operator now, found in the state of the whole. Pure."""

from collections.abc import Iterable, Mapping

from msgspec import UnsetType

from deskbus.languages.health_words import phrase
from deskbus_protocol.apps import AppStatus
from deskbus_protocol.control import Need, NeedKind
from deskbus_protocol.health import ComponentHealth, Phrase
from deskbus_protocol.secrets import VaultStatus

TOLD_OTHERWISE = frozenset({"apps", "vault", "bus"})
"""Components whose trouble is told by a need of its own kind."""

OF_COMPONENT: dict[str, NeedKind] = {"disk": "disk", "audit": "audit"}


def needs_of(
    components: Mapping[str, ComponentHealth],
    apps: Iterable[AppStatus],
    vault: VaultStatus,
    *,
    dead_letters: int,
    slow_readers: int,
    full_queues: int,
    log_findings: int,
) -> list[Need]:
    """The worst first."""
    found = [*_of_vault(vault, components), *_of_apps(apps), *_of_components(components)]
    if log_findings:
        found.append(Need(kind="log_damaged", severity="bad", count=log_findings))
    if full_queues:
        found.append(Need(kind="full_queues", severity="bad", count=full_queues))
    if slow_readers:
        found.append(Need(kind="slow_readers", severity="caution", count=slow_readers))
    if dead_letters:
        found.append(Need(kind="dead_letters", severity="caution", count=dead_letters))
    return sorted(found, key=lambda need: need.severity == "caution")


def _of_vault(vault: VaultStatus, components: Mapping[str, ComponentHealth]) -> Iterable[Need]:
    phrases = components["vault"].phrases if "vault" in components else []
    if vault.state == "locked":
        name = "password" if vault.needs_password else ""
        yield Need(
            kind="vault_locked", severity="bad", name=name, detail=vault.detail, phrases=phrases
        )
    elif vault.state == "memory":
        yield Need(kind="vault_memory", severity="caution", detail=vault.detail, phrases=phrases)


def _of_apps(apps: Iterable[AppStatus]) -> Iterable[Need]:
    kinds: dict[str, NeedKind] = {
        "failed": "app_failed",
        "crashed": "app_failed",
        "restarting": "app_restarting",
        "unresponsive": "app_unresponsive",
    }
    for app in apps:
        kind = kinds.get(app.state)
        if kind is None:
            continue
        crash = "" if isinstance(app.crash, UnsetType) else app.crash.detail
        detail = crash if isinstance(app.detail, UnsetType) else app.detail
        yield Need(
            kind=kind,
            severity="bad" if kind == "app_failed" else "caution",
            subject=app.app,
            name=app.name,
            detail=detail,
            phrases=_of_crash(app),
        )


def _of_components(components: Mapping[str, ComponentHealth]) -> Iterable[Need]:
    for name, health in components.items():
        if health.status not in ("degraded", "failed") or name in TOLD_OTHERWISE:
            continue
        yield Need(
            kind=OF_COMPONENT.get(name, "component"),
            severity="bad" if health.status == "failed" else "caution",
            subject=name,
            detail="" if isinstance(health.detail, UnsetType) else health.detail,
            phrases=health.phrases,
        )


def _of_crash(app: AppStatus) -> list[Phrase]:
    """The cause alone: the sentence with its figures is recorded in English."""
    if isinstance(app.crash, UnsetType):
        return []
    return [phrase("crash", cause=app.crash.cause, limit=app.crash.limit or "none")]
