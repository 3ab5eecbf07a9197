"""Faults on purpose, joined with the parts that they are made to."""

from deskbus.components.backend_run import BackendRun
from deskbus.components.capabilities import Capabilities
from deskbus.reliability.fault_injector import FaultInjector


def fault_injector_of(run: BackendRun, capabilities: Capabilities) -> FaultInjector | None:
    """The fault injector; None unless the configuration allows development."""
    if not run.settings.config.development:
        return None
    return FaultInjector(
        apps=capabilities.apps.process_ids,
        watchdog=capabilities.apps.watchdog_ids,
        lock_vault=capabilities.vault.lock,
        has_shell=lambda: capabilities.user_interface.shell.connected,
    )
