"""The health checks of the components, as `health.get` reports them."""

import msgspec
from msgspec import UNSET

from deskbus.bus.service import InterApplicationBus
from deskbus.config import Config, PersistenceConfig
from deskbus.persistence.service import MessagePersistence
from deskbus.reliability.health_monitor import Check
from deskbus.security.decisions.decision_store import DecisionStore
from deskbus.security.policy.policy_service import PolicyService
from deskbus.ui.shell import Shell
from deskbus_protocol.health import ComponentHealth, Status
from deskbus_protocol.history import LogRules, LogStats
from deskbus_protocol.wording.quantity import counted


def bus_check(bus: InterApplicationBus) -> Check:
    def check() -> ComponentHealth:
        stats = bus.statistics()
        words = (
            f"{counted(stats.clients, 'client')}, {counted(stats.subscriptions, 'subscription')}"
        )
        trouble = _bus_trouble(bus, stats.slow_readers)
        if trouble:
            return ComponentHealth(status="degraded", detail=f"{words}; {trouble}")
        return ComponentHealth(status="ok", detail=words)

    return check


def _bus_trouble(bus: InterApplicationBus, slow: int) -> str:
    """The causes of present or imminent message loss; "" for none."""
    troubles = []
    if slow:
        troubles.append(f"{counted(slow, 'slow reader')}, whose oldest messages are dropped")
    full = sum(member.queue.full for member in bus.members)
    if full:
        troubles.append(f"{counted(full, 'full queue')} of clients that are away")
    if bus.dead_letters.full:
        troubles.append("the dead letters are full, so the oldest are forgotten")
    return ", ".join(troubles)


def persistence_check(persistence: MessagePersistence | None) -> Check:
    def check() -> ComponentHealth:
        if persistence is None:
            return ComponentHealth(status="off", detail="switched off in the configuration")
        status: Status = "ok" if persistence.state.status == "ok" else "degraded"
        return ComponentHealth(status=status, detail=persistence.state.detail or UNSET)

    return check


def development_check(config: Config) -> dict[str, Check]:
    """None where there is nothing to tell."""
    if not config.development:
        return {}
    words = "faults can be made (deskbus chaos); take development out before people work with it"
    return {"development": lambda: ComponentHealth(status="degraded", detail=words)}


def shell_check(shell: Shell) -> Check:
    def check() -> ComponentHealth:
        if shell.connected:
            return ComponentHealth(status="ok")
        words = "no shell: windows and prompts can't be shown"
        return ComponentHealth(status="off", detail=words)

    return check


def permissions_check(decisions: DecisionStore, policies: PolicyService) -> Check:
    def check() -> ComponentHealth:
        problem = policies.problem or decisions.problem
        if problem:
            return ComponentHealth(status="degraded", detail=problem)
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
