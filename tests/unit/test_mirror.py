"""Unit tests mirror the sources: a module with logic has a test of its name at its place.

The aspects of a module that has many tests are `test_<module>_<aspect>.py`.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
UNIT = TESTS / "unit"
SOURCES = {
    "": TESTS.parent / "backend/deskbus",
    "protocol/": TESTS.parent / "protocol/deskbus_protocol",
}

MOST_LINES = 60
"""Statements within functions that a module may have without a test of its own."""

ELSEWHERE: dict[str, tuple[str, ...]] = {
    "audit/query/index.py": ("unit/audit/query/test_search.py",),
    "audit/query/indexer.py": (
        "unit/audit/query/test_search.py",
        "unit/audit/test_logger.py",
    ),
    "audit/reader.py": ("unit/audit/test_logger.py",),
    "audit/report/report_data.py": ("unit/audit/report/test_figures.py",),
    "audit/store/anchor.py": (
        "unit/audit/test_logger.py",
        "integration/audit/test_audit_anchor.py",
    ),
    "audit/store/audit_folder.py": ("unit/audit/verify/test_verifier_folder.py",),
    "audit/store/key_file.py": ("unit/audit/write/test_recovery.py",),
    "bus/topic_table.py": (
        "unit/bus/test_broker.py",
        "unit/bus/test_broker_flat_lookup.py",
    ),
    "cli.py": (
        "integration/commands/test_cli.py",
        "integration/commands/test_command_faults.py",
    ),
    "commands/apps.py": ("integration/processes/test_apps_command.py",),
    "commands/audit.py": ("integration/audit/test_audit.py",),
    "commands/audit_log.py": ("integration/audit/test_audit.py",),
    "commands/client.py": ("integration/commands/test_cli.py",),
    "commands/doctor.py": ("integration/start/test_environment.py",),
    "commands/serve.py": ("integration/start/test_failed_start.py",),
    "commands/vault.py": ("integration/vault/test_vault_commands.py",),
    "commands/vault_access.py": (
        "integration/vault/test_vault_commands.py",
        "integration/vault/test_vault_through_backend.py",
    ),
    "components/audit/auditing.py": ("integration/audit/test_audit_events.py",),
    "components/component_settings.py": ("unit/test_config.py",),
    "components/connections/connection_acceptor.py": ("security/test_pipe_attacks.py",),
    "components/connections/web_gateway.py": (
        "web/test_pages.py",
        "web/test_metrics.py",
    ),
    "components/control/control_centre.py": ("integration/control/test_control_centre.py",),
    "components/fdc3/fdc3_agent.py": ("integration/desktop/test_fdc3.py",),
    "components/monitoring/metric_sources.py": ("integration/observability/test_metrics.py",),
    "components/monitoring/support_reports.py": ("integration/observability/test_support.py",),
    "fdc3/agent.py": (
        "unit/fdc3/dacp/test_channels.py",
        "unit/fdc3/dacp/test_intents.py",
    ),
    "fdc3/dacp/service.py": ("unit/fdc3/dacp/test_channels.py",),
    "fdc3/directory/sources.py": ("unit/fdc3/directory/test_app_directory.py",),
    "federation/nats_connection.py": ("integration/federation/test_federation.py",),
    "handlers/apps.py": (
        "integration/processes/test_processes.py",
        "integration/processes/test_updates.py",
    ),
    "handlers/audit.py": ("integration/audit/test_audit.py",),
    "handlers/files.py": (
        "electron/permissions/test_files.py",
        "security/test_every_permission.py",
    ),
    "handlers/session.py": (
        "integration/connections/test_sessions.py",
        "integration/connections/test_reconnect.py",
    ),
    "observability/forwarding/forwarder.py": ("integration/observability/test_forwarding.py",),
    "observability/logs/standard_error.py": ("integration/start/test_stderr.py",),
    "persistence/sensitive_messages.py": (
        "unit/persistence/commit/test_unsealed_batches.py",
        "integration/persistence/test_sensitive.py",
    ),
    "persistence/topic_log.py": ("integration/bus/test_delivery.py",),
    "processes/runtime/process_run.py": (
        "integration/processes/test_processes.py",
        "integration/processes/test_launch_races.py",
    ),
    "processes/runtime/process_starter.py": ("unit/processes/test_manager.py",),
    "processes/watchdog/watchdog.py": (
        "unit/processes/watchdog/test_client.py",
        "integration/processes/test_orphans_after_kill.py",
    ),
    "rpc/dispatch/dispatcher.py": ("contract/test_peer.py",),
    "security/consent/consent_service.py": ("unit/security/test_service.py",),
    "security/decisions/permission_settings.py": (
        "unit/security/test_service.py",
        "unit/ui/panels/test_permissions_panel.py",
    ),
    "security/identity/content_hash.py": ("unit/security/identity/test_code_identity.py",),
    "security/permission_service.py": ("unit/security/test_service.py",),
    "vault/keys/keyset.py": (
        "unit/vault/test_vault.py",
        "unit/vault/test_vault_foreign_files.py",
    ),
    "vault/records/sealed_records.py": (
        "unit/vault/test_vault.py",
        "unit/vault/test_vault_tampering.py",
    ),
    "vault/unlocked_vault.py": ("unit/vault/test_vault.py",),
    "web/gateway.py": (
        "web/test_pages.py",
        "web/test_pairing.py",
    ),
    "web/rpc_exchange.py": ("web/test_rpc.py",),
    "web/server/http_connection.py": (
        "web/test_pages.py",
        "security/test_web_attacks.py",
    ),
    "web/server/listener.py": ("web/test_port.py",),
    "protocol/client/app.py": ("integration/processes/test_app_kits.py",),
    "protocol/client/fdc3.py": ("integration/desktop/test_fdc3.py",),
    "protocol/client/progress.py": ("contract/test_delivery_progress.py",),
}
"""Modules whose work shows only beside other parts, each with the tests that hold it there."""


def statements(path: Path) -> int:
    """Lines of code within the functions of a module."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return len(
        {
            inner.lineno
            for function in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(function, functions)
            for inner in ast.walk(function)
            if isinstance(inner, ast.stmt)
            and not (isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant))
        }
    )


MODULES = {
    prefix + path.relative_to(root).as_posix(): path
    for prefix, root in SOURCES.items()
    for path in sorted(root.rglob("*.py"))
}


def has_own_test(module: str) -> bool:
    folder, _, name = f"/{module}".rpartition("/")
    place = UNIT / folder.lstrip("/")
    stem = name.removesuffix(".py")
    return (place / f"test_{stem}.py").exists() or any(place.glob(f"test_{stem}_*.py"))


def test_a_module_with_logic_has_a_test_of_its_name_or_a_row_that_says_where() -> None:
    logic = [module for module, path in MODULES.items() if statements(path) > MOST_LINES]
    assert [each for each in logic if has_own_test(each) == (each in ELSEWHERE)] == []


@pytest.mark.parametrize("module", list(ELSEWHERE))
def test_a_row_names_a_module_with_logic_and_tests_that_are_there(module: str) -> None:
    assert statements(MODULES[module]) > MOST_LINES
    assert [test for test in ELSEWHERE[module] if not (TESTS / test).exists()] == []
