"""Every method of the backend, joined with the parts that it asks."""

from deskbus.components.access.permission_explanations import PermissionExplanations
from deskbus.components.backend_run import BackendRun
from deskbus.components.capabilities import Capabilities
from deskbus.components.connections.link_compression import compression_stats
from deskbus.components.control.control_centre import ControlCentre
from deskbus.components.fault_injection import fault_injector_of
from deskbus.components.monitoring.health_checks import log_statistics
from deskbus.components.monitoring.monitoring import Monitoring
from deskbus.config import bundle_folder
from deskbus.handlers import apps as apps_handlers
from deskbus.handlers import bus as bus_handlers
from deskbus.handlers import chaos as chaos_handlers
from deskbus.handlers import control as control_handlers
from deskbus.handlers import desktop as desktop_handlers
from deskbus.handlers import fdc3 as fdc3_handlers
from deskbus.handlers import federation as federation_handlers
from deskbus.handlers import files as files_handlers
from deskbus.handlers import health as health_handlers
from deskbus.handlers import history as history_handlers
from deskbus.handlers import layouts as layouts_handlers
from deskbus.handlers import links as links_handlers
from deskbus.handlers import logging as logging_handlers
from deskbus.handlers import metrics as metrics_handlers
from deskbus.handlers import panels as panels_handlers
from deskbus.handlers import permissions as permissions_handlers
from deskbus.handlers import policy as policy_handlers
from deskbus.handlers import secrets as secrets_handlers
from deskbus.handlers import support as support_handlers
from deskbus.handlers import traces as traces_handlers
from deskbus.handlers import ui as ui_handlers
from deskbus.handlers import web as web_handlers
from deskbus.handlers.audit import AuditHandlers
from deskbus.handlers.session import SessionHandlers
from deskbus.handlers.vault import VaultHandlers
from deskbus.observability.logs.log_levels import LogLevels
from deskbus.reliability.fair_queue import FairQueue
from deskbus.rpc.dispatch.dispatcher import Dispatcher
from deskbus.rpc.dispatch.method_table import build_dispatcher
from deskbus.security.permission_explainer import PermissionExplainer
from deskbus_protocol.methods import METHODS


def dispatcher_of(
    run: BackendRun,
    capabilities: Capabilities,
    monitoring: Monitoring,
    control: ControlCentre,
    levels: LogLevels,
) -> Dispatcher:
    """Raises `IncompleteTableError` where a method has no handler, or a handler no method."""
    user_interface, vault = capabilities.user_interface, capabilities.vault
    auditing, access = capabilities.auditing, capabilities.access
    messaging, tracing = capabilities.messaging, capabilities.tracing
    apps, sessions = capabilities.apps, capabilities.connections.sessions
    fdc3, browsers = capabilities.fdc3, capabilities.browser_apps
    permissions = access.security.permissions
    explanations = PermissionExplanations(PermissionExplainer(access.security), auditing.reader)
    bus, replays = messaging.bus, messaging.replays
    # The vault does one thing after the other: what an app wants next waits for one of another.
    vault_turns = FairQueue(2, of_one=1)

    def shell_comes(exec_path: str | None, electron: int, locale: str) -> None:
        user_interface.shell.speak(locale)
        access.shell_came(electron)
        apps.shell_came(exec_path)

    return build_dispatcher(
        METHODS,
        [
            SessionHandlers(
                epoch=run.epoch,
                pipe=run.pipe,
                sessions=sessions,
                trail=auditing.trail,
                violations=auditing.violations,
                shut_down=run.stopping.set,
                on_shell=shell_comes,
                on_opened=apps.manager.session_opened,
                tracing=tracing.terms,
                may_join=fdc3.may_join,
            ).table(),
            bus_handlers.handlers(
                bus, replays, permissions, sessions.rate_limits, messaging.access.owns
            ),
            history_handlers.handlers(
                bus,
                replays,
                permissions,
                lambda: log_statistics(messaging.persistence, run.settings.config.persistence),
                messaging.access.owns,
                lambda: compression_stats(run.encoding),
            ),
            permissions_handlers.handlers(permissions, access.settings, explanations.explain),
            policy_handlers.handlers(access.policies),
            files_handlers.handlers(access.files, permissions),
            AuditHandlers(auditing.trail, auditing.reader, permissions, control.permits).table(),
            secrets_handlers.handlers(vault, permissions, vault_turns),
            VaultHandlers(
                vault, auditing.trail, auditing.trail.opened.is_set, auditing.by_person
            ).table(),
            apps_handlers.handlers(apps.manager, apps.library, permissions, access.check_launch),
            apps_handlers.update_handlers(apps.manager, bundle_folder()),
            apps_handlers.own_handlers(apps.manager, apps.state_store, vault_turns),
            ui_handlers.handlers(
                user_interface.dialogs,
                apps.manager,
                apps.renderers,
                apps.utilities,
                user_interface.window_places,
            ),
            layouts_handlers.handlers(capabilities.layouts),
            panels_handlers.handlers(user_interface.panels),
            health_handlers.handlers(monitoring.health.monitor),
            metrics_handlers.handlers(monitoring.metrics.exposition),
            links_handlers.handlers(capabilities.connections.table, auditing.trail),
            logging_handlers.handlers(levels),
            support_handlers.handlers(monitoring.support.collect),
            traces_handlers.handlers(tracing.ring, tracing.tracer),
            federation_handlers.handlers(capabilities.federation_bridge.federation),
            fdc3_handlers.handlers(fdc3.here, fdc3.choose_channel),
            desktop_handlers.handlers(fdc3.browsers, fdc3.choose_channel),
            web_handlers.handlers(
                browsers.apps, browsers.entrances, lambda: browsers.state.problem
            ),
            web_handlers.shell_page_handlers(
                browsers.apps, browsers.shell_pages, auditing.violations
            ),
            control_handlers.handlers(
                control, control.traffic, bus, user_interface.shell, messaging.access.operating
            ),
            chaos_handlers.handlers(fault_injector_of(run, capabilities)),
        ],
        auditing.refused.by_dispatcher,
        run.errors,
        tracing.tracer,
        permits=control.permits,
        acting=auditing.acting,
    )
