"""Faults on purpose, joined with the parts that they are made to."""

from deskbus.components.backend_run import BackendRun
from deskbus.components.parts import Parts
from deskbus.reliability.fault_injector import FaultInjector


def fault_injector_of(run: BackendRun, parts: Parts) -> FaultInjector | None:
    """None where the configuration does not allow development."""
    if not run.settings.config.development:
        return None
    return FaultInjector(
        apps=parts.apps.process_ids,
        watchdog=parts.apps.watchdog_ids,
        lock_vault=parts.vault.lock,
        has_shell=lambda: parts.user_interface.shell.connected,
    )
