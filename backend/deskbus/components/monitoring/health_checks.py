"""The health checks of the components, as `health.get` reports them."""

from collections.abc import Iterator

import msgspec

from deskbus.bus.service import InterApplicationBus
from deskbus.config import Config, PersistenceConfig
from deskbus.languages.health_words import other, phrase, told
from deskbus.persistence.service import MessagePersistence
from deskbus.reliability.health_monitor import Check
from deskbus.security.decisions.decision_store import DecisionStore
from deskbus.security.policy.policy_service import PolicyService
from deskbus.ui.shell import Shell
from deskbus_protocol.health import ComponentHealth, Phrase
from deskbus_protocol.history import LogRules, LogStats


def bus_check(bus: InterApplicationBus) -> Check:
    def check() -> ComponentHealth:
        stats = bus.statistics()
        words = phrase("bus", clients=stats.clients, subscriptions=stats.subscriptions)
        trouble = [*_bus_trouble(bus, stats.slow_readers)]
        return told("degraded" if trouble else "ok", words, *trouble)

    return check


def _bus_trouble(bus: InterApplicationBus, slow: int) -> Iterator[Phrase]:
    """The causes of present or imminent message loss."""
    if slow:
        yield phrase("bus-slow", count=slow)
    full = sum(member.queue.full for member in bus.members)
    if full:
        yield phrase("bus-full", count=full)
    if bus.dead_letters.full:
        yield phrase("bus-letters")


def persistence_check(persistence: MessagePersistence | None) -> Check:
    def check() -> ComponentHealth:
        if persistence is None:
            return told("off", phrase("off"))
        state = persistence.state
        return told(state.status, *state.phrases)

    return check


def development_check(config: Config) -> dict[str, Check]:
    """The check of development mode; None where it is off."""
    if not config.development:
        return {}
    return {"development": lambda: told("degraded", phrase("development"))}


def shell_check(shell: Shell) -> Check:
    def check() -> ComponentHealth:
        if shell.connected:
            return ComponentHealth(status="ok")
        return told("off", phrase("no-shell"))

    return check


def permissions_check(decisions: DecisionStore, policies: PolicyService) -> Check:
    def check() -> ComponentHealth:
        problem = policies.problem or decisions.problem
        if problem:
            return told("degraded", other(problem))
        return ComponentHealth(status="ok")

    return check


def log_statistics(persistence: MessagePersistence | None, config: PersistenceConfig) -> LogStats:
    if persistence is None:
        return LogStats(enabled=False, state="off", detail="", figures={})
    state = persistence.state
    figures = msgspec.to_builtins(persistence.statistics())
    rules = LogRules(
        topics=config.topics,
        sensitive=config.sensitive,
        without_vault=config.sensitive_without_vault,
        max_segments=config.max_segments,
        max_bytes=config.max_bytes,
        max_age_days=config.max_age_days,
    )
    return LogStats(
        enabled=True, state=state.status, detail=state.detail, figures=figures, rules=rules
    )
