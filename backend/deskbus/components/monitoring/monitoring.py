"""Monitoring: the health and the metrics of every part, and the report for support."""

from deskbus.components.backend_run import BackendRun
from deskbus.components.capabilities import Capabilities
from deskbus.components.monitoring.health_checks import (
    bus_check,
    development_check,
    permissions_check,
    persistence_check,
    shell_check,
)
from deskbus.components.monitoring.health_watch import HealthWatch
from deskbus.components.monitoring.metric_sources import (
    app_metrics,
    audit_metrics,
    build_metrics,
    bus_metrics,
    delivery_metrics,
    federation_metrics,
    forward_metrics,
    health_metrics,
    link_metrics,
    machine_metrics,
    persistence_metrics,
    security_metrics,
    tracing_metrics,
    vault_metrics,
    web_metrics,
)
from deskbus.components.monitoring.metrics import Metrics
from deskbus.components.monitoring.support_reports import SupportReports
from deskbus.observability.logs.log_pipeline import LogPipeline
from deskbus.observability.logs.standard_error import StandardError
from deskbus.observability.metrics.app_labels import AppLabels


class Monitoring:
    """`health` and `metrics` are components of their own: they start at different moments."""

    def __init__(
        self, run: BackendRun, capabilities: Capabilities, stderr: StandardError, logs: LogPipeline
    ) -> None:
        """Raises `ConfigError` where the metrics are to be served, and their library is missing."""
        shell, vault = capabilities.user_interface.shell, capabilities.vault
        auditing = capabilities.auditing
        access, apps, messaging = capabilities.access, capabilities.apps, capabilities.messaging
        tracing, forwarding = capabilities.tracing, capabilities.forwarding
        connections, web = capabilities.connections, capabilities.browser_apps.state
        federation_bridge, fdc3 = capabilities.federation_bridge, capabilities.fdc3
        breakers = [
            guarded.breaker
            for guarded in (
                messaging.persistence,
                vault,
                shell,
                federation_bridge.federation,
                tracing.exporter,
                *forwarding.forwarders,
            )
            if guarded is not None
        ]
        self.health = HealthWatch(
            run,
            shell=shell,
            checks={
                "bus": bus_check(messaging.bus),
                "persistence": persistence_check(messaging.persistence),
                "shell": shell_check(shell),
                "permissions": permissions_check(access.store, access.policies),
                "apps": apps.manager.health,
                "vault": vault.health,
                "audit": auditing.trail.health,
                "federation": federation_bridge.health,
                "fdc3": fdc3.health,
                "log": stderr.health,
                **({} if logs.file is None else {"logFile": logs.file.health}),
                "pipe": connections.pipe_state.health,
                "web": web.health,
                "resources": run.shortage.health,
                **development_check(run.settings.config),
                "tracing": tracing.health,
                **forwarding.checks,
            },
            breakers=breakers,
            on_changed=forwarding.health_changed,
        )
        labels = AppLabels(run.settings.config.metrics.apps)
        self.metrics = Metrics(
            run.settings,
            [
                build_metrics(),
                bus_metrics(messaging.bus, labels),
                delivery_metrics(run.latency),
                link_metrics(run.traffic, connections.sessions, run.errors),
                persistence_metrics(messaging.persistence),
                app_metrics(apps.manager, labels),
                audit_metrics(auditing.trail),
                vault_metrics(vault),
                security_metrics(access.security),
                federation_metrics(federation_bridge),
                tracing_metrics(tracing),
                forward_metrics(forwarding),
                web_metrics(web),
                machine_metrics(self.health.lag, self.health.disk, stderr),
                health_metrics(self.health.monitor, breakers),
            ],
        )
        self.support = SupportReports(
            run.settings,
            vault,
            auditing.reader,
            self.metrics.exposition,
            health=self.health.monitor.report,
            apps=apps.manager.statuses,
        )
