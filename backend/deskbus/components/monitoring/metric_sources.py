"""The metrics of each part, read from what it counts anyway; `docs/observability.md` lists them."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import get_args

from deskbus import __version__
from deskbus.audit.logger import AuditLogger
from deskbus.bus.service import InterApplicationBus
from deskbus.components.connections.sessions import Sessions
from deskbus.components.messaging.federation_bridge import FederationBridge
from deskbus.components.monitoring.forwarding import Forwarding
from deskbus.components.monitoring.tracing import Tracing
from deskbus.observability.disk_space import DiskSpace
from deskbus.observability.error_counts import ErrorCounts
from deskbus.observability.logs.standard_error import StandardError
from deskbus.observability.loop_lag import LoopLag
from deskbus.observability.metrics.app_labels import AppLabels
from deskbus.observability.metrics.delivery_latency import DeliveryLatency
from deskbus.observability.metrics.histogram import HistogramSnapshot
from deskbus.observability.metrics.metric import (
    Metric,
    MetricSource,
    Sample,
    by_label,
    counter,
    gauge,
    histograms,
    state_set,
)
from deskbus.persistence.service import MessagePersistence
from deskbus.processes.manager import ProcessIsolationManager
from deskbus.reliability.circuit_breaker import BreakerState, CircuitBreaker
from deskbus.reliability.health_monitor import HealthMonitor
from deskbus.security.service import SecurityManager
from deskbus.transport.traffic import TrafficCounts, TransportName
from deskbus.vault.service import VaultService
from deskbus.web.web_state import WebState
from deskbus_protocol.apps import AppState
from deskbus_protocol.health import Status
from deskbus_protocol.secrets import VaultState


def build_metrics() -> MetricSource:
    info = Sample({"version": __version__}, 1.0)

    def read() -> Iterable[Metric]:
        yield Metric("deskbus_build_info", "gauge", "The version that runs.", [info])

    return read


def bus_metrics(bus: InterApplicationBus, apps: AppLabels) -> MetricSource:
    def read() -> Iterable[Metric]:
        stats = bus.statistics()
        yield counter(
            "deskbus_messages_received", "Messages taken in and routed.", stats.messages_in
        )
        yield counter(
            "deskbus_messages_delivered",
            "Copies of messages given to readers, or to the queues of those that are away.",
            stats.messages_out,
        )
        yield counter(
            "deskbus_messages_received_bytes",
            "Bytes of routed messages, with their stamps.",
            stats.bytes_in,
        )
        clients = {"online": stats.clients, "away": stats.offline_clients}
        yield by_label(
            "deskbus_clients", "gauge", "Clients, connected or expected back.", "state", clients
        )
        yield gauge("deskbus_subscriptions", "Subscriptions of all clients.", stats.subscriptions)
        yield gauge("deskbus_topics", "Topics that are remembered.", stats.topics)
        yield gauge("deskbus_slow_readers", "Clients that read too slowly.", stats.slow_readers)
        yield gauge("deskbus_history_bytes", "Memory of topics' histories.", stats.history_bytes)
        yield by_label(
            "deskbus_dead_letters",
            "counter",
            "Messages that could not be delivered, by reason.",
            "reason",
            stats.dead_letters,
        )
        yield gauge("deskbus_dead_letters_kept", "Dead letters to look at.", len(bus.dead_letters))
        yield from _queues(bus, apps)

    return read


def _queues(bus: InterApplicationBus, apps: AppLabels) -> Iterable[Metric]:
    messages: defaultdict[str, float] = defaultdict(float)
    size: defaultdict[str, float] = defaultdict(float)
    unacknowledged: defaultdict[str, float] = defaultdict(float)
    oldest: defaultdict[str, float] = defaultdict(float)
    now_ms = bus.broker.clock_ms()
    for member in bus.members:
        app = member.identity.app
        messages[app] += len(member.queue)
        size[app] += member.queue.bytes
        unacknowledged[app] += len(member.window)
        since_ms = member.queue.oldest_ms
        if since_ms is not None:
            oldest[app] = max(oldest[app], (now_ms - since_ms) / 1000)
    for name, words, values in (
        ("deskbus_queued_messages", "Messages that wait for clients that are away.", messages),
        ("deskbus_queued_bytes", "Bytes of messages that wait for clients that are away.", size),
        ("deskbus_unacknowledged_messages", "Messages not acknowledged yet.", unacknowledged),
    ):
        yield by_label(name, "gauge", words, "app", apps.sums(values))
    yield by_label(
        "deskbus_queue_oldest_seconds",
        "gauge",
        "Age of the oldest message that waits for a client that is away.",
        "app",
        apps.highest(oldest),
    )


def delivery_metrics(latency: DeliveryLatency | None) -> MetricSource:
    def read() -> Iterable[Metric]:
        if latency is not None:
            yield histograms(
                "deskbus_delivery_seconds",
                "Time from the read that completes a message to the write to its readers; samples.",
                "mode",
                latency.snapshots(),
            )

    return read


def link_metrics(traffic: TrafficCounts, sessions: Sessions, errors: ErrorCounts) -> MetricSource:
    def read() -> Iterable[Metric]:
        links = {name: found.links for name, found in traffic.of.items()}
        received = {name: found.received_bytes for name, found in traffic.of.items()}
        sent = {name: found.sent_bytes for name, found in traffic.of.items()}
        words = "Bytes read from links."
        yield by_label("deskbus_links", "gauge", "Open links.", "transport", _plain(links))
        yield by_label(
            "deskbus_link_received_bytes", "counter", words, "transport", _plain(received)
        )
        words = "Bytes written to links."
        yield by_label("deskbus_link_sent_bytes", "counter", words, "transport", _plain(sent))
        yield gauge("deskbus_sessions", "Sessions that are open.", sessions.open_sessions)
        yield gauge("deskbus_sessions_resumable", "Sessions that can be resumed.", sessions.tokens)
        yield by_label(
            "deskbus_errors",
            "counter",
            "Errors that callers and senders were told, by category.",
            "category",
            errors.by_category,
        )

    return read


def _plain(values: Mapping[TransportName, int]) -> dict[str, float]:
    return {str(name): float(value) for name, value in values.items()}


def persistence_metrics(persistence: MessagePersistence | None) -> MetricSource:
    def read() -> Iterable[Metric]:
        if persistence is None:
            return
        found = persistence.statistics()
        yield gauge(
            "deskbus_persistence_messages", "Messages in the log on disk.", found.log.messages
        )
        yield gauge("deskbus_persistence_bytes", "Size of the log on disk.", found.log.size_bytes)
        yield gauge("deskbus_persistence_segments", "Files of the log on disk.", found.log.segments)
        yield gauge(
            "deskbus_persistence_findings", "Places of damage in the log.", found.log.findings
        )
        yield gauge(
            "deskbus_persistence_backlog_messages", "Messages not on the disk yet.", found.held
        )
        yield gauge(
            "deskbus_persistence_backlog_bytes",
            "Bytes of messages not on the disk yet.",
            found.held_bytes,
        )
        yield gauge(
            "deskbus_persistence_backlog_oldest_seconds",
            "Age of the oldest message that is not known to be on the disk.",
            persistence.oldest_s,
        )
        yield counter(
            "deskbus_persistence_dropped",
            "Messages of persisted topics never written.",
            found.dropped,
        )
        yield counter(
            "deskbus_persistence_refused",
            "Sensitive messages refused for want of a vault.",
            found.refused,
        )
        yield histograms(
            "deskbus_persistence_flush_seconds",
            "Time to write a group of batches, with or without an fsync.",
            "step",
            {step: times.snapshot() for step, times in persistence.flush_times.items()},
        )

    return read


def app_metrics(manager: ProcessIsolationManager, apps: AppLabels) -> MetricSource:
    def read() -> Iterable[Metric]:
        states: Counter[AppState] = Counter(app.state for app in manager.apps)
        yield by_label(
            "deskbus_apps",
            "gauge",
            "Apps by state.",
            "state",
            {state: float(states[state]) for state in get_args(AppState)},
        )
        cpu, memory, processes = {}, {}, {}
        restarts: dict[str, float] = {}
        kills: Counter[tuple[str, str]] = Counter()
        for app in manager.apps:
            name, sample = app.spec.app, app.limit_monitor.sample
            restarts[name] = app.history.restarts_in_all
            for limit, count in app.history.limit_kills.items():
                kills[apps.of(name), limit] += count
            if sample is not None and app.is_alive:
                cpu[name] = sample.cpu_percent / 100
                memory[name] = float(sample.memory_bytes)
                processes[name] = float(sample.processes)
        for metric, words, values in (
            ("deskbus_app_cpu_ratio", "Processors in use by an app, all its processes.", cpu),
            ("deskbus_app_memory_bytes", "Memory of an app, all its processes.", memory),
            ("deskbus_app_processes", "Processes of an app.", processes),
        ):
            yield by_label(metric, "gauge", words, "app", apps.sums(values))
        words = "How often an app came back by itself."
        yield by_label("deskbus_app_restarts", "counter", words, "app", apps.sums(restarts))
        yield Metric(
            "deskbus_app_limit_kills",
            "counter",
            "How often an app was ended at a limit.",
            [Sample({"app": app, "limit": limit}, n) for (app, limit), n in kills.items()],
        )

    return read


def audit_metrics(trail: AuditLogger) -> MetricSource:
    def read() -> Iterable[Metric]:
        yield by_label(
            "deskbus_audit_events", "counter", "Records given to the audit log.", "type",
            dict(trail.events),
        )  # fmt: skip
        yield gauge("deskbus_audit_records", "Records in the audit log.", trail.size)
        yield counter(
            "deskbus_audit_refused_commits",
            "Records that could not be made, so what they were for did not happen.",
            trail.refused,
        )
        yield Metric(
            "deskbus_audit_commit_seconds",
            "histogram",
            "How long a record took that had to be on the disk first.",
            [Sample({}, trail.commit_times.snapshot())],
        )

    return read


def vault_metrics(vault: VaultService) -> MetricSource:
    def read() -> Iterable[Metric]:
        yield by_label(
            "deskbus_vault_operations",
            "counter",
            "Operations of the vault, by outcome.",
            "outcome",
            {str(name): float(n) for name, n in vault.operations.items()},
        )
        yield state_set(
            "deskbus_vault_state",
            "1 for the state of the vault.",
            "state",
            vault.status().state,
            get_args(VaultState),
        )

    return read


def security_metrics(security: SecurityManager) -> MetricSource:
    def read() -> Iterable[Metric]:
        yield histograms(
            "deskbus_prompt_seconds",
            "How long permission prompts were open, by outcome.",
            "outcome",
            {outcome: each.snapshot() for outcome, each in security.answer_times.items()},
        )

    return read


def federation_metrics(federation_bridge: FederationBridge) -> MetricSource:
    def read() -> Iterable[Metric]:
        if federation_bridge.federation is None:
            return
        found = federation_bridge.federation.statistics()
        yield gauge("deskbus_federation_connected", "1 while connected to NATS.", found.connected)
        yield counter(
            "deskbus_federation_connects", "Connections made; the first is one.", found.connects
        )
        outcomes = {
            "sent": found.sent,
            "taken": found.taken,
            "dropped": found.dropped,
            "refused": found.refused,
        }
        yield by_label(
            "deskbus_federation_messages",
            "counter",
            "Messages to and from other machines.",
            "outcome",
            outcomes,
        )
        yield gauge(
            "deskbus_federation_lag_messages",
            "Messages of the log that JetStream has not confirmed.",
            found.unsent,
        )
        yield gauge(
            "deskbus_federation_lag_seconds",
            "How long the oldest message has waited that JetStream has not confirmed.",
            found.lag_s,
        )

    return read


def tracing_metrics(tracing: Tracing) -> MetricSource:
    def read() -> Iterable[Metric]:
        if tracing.tracer is None:
            return
        yield gauge("deskbus_traces_kept", "Recent traces to look at.", len(tracing.ring))
        if tracing.exporter is not None:
            found = tracing.exporter
            yield counter("deskbus_spans_sent", "Spans that a collector has taken.", found.sent)
            yield counter("deskbus_spans_dropped", "Spans without room.", found.dropped)
            yield gauge("deskbus_spans_waiting", "Spans to be sent.", found.waiting)

    return read


def forward_metrics(forwarding: Forwarding) -> MetricSource:
    def read() -> Iterable[Metric]:
        behind = {each.name: float(each.behind) for each in forwarding.forwarders}
        sent = {each.name: float(each.sent) for each in forwarding.forwarders}
        words = "Audit records that a destination has not had yet."
        yield by_label("deskbus_forward_behind", "gauge", words, "destination", behind)
        words = "Audit records that a destination has taken."
        yield by_label("deskbus_forward_sent", "counter", words, "destination", sent)

    return read


def web_metrics(state: WebState) -> MetricSource:
    def read() -> Iterable[Metric]:
        statuses = {str(status): float(n) for status, n in state.statuses.items()}
        words = "Answers of the web gateway, by HTTP status."
        yield by_label("deskbus_web_responses", "counter", words, "status", statuses)
        words = "Pages that did what they may not, by kind."
        violations = {kind: float(n) for kind, n in state.violations.items()}
        yield by_label("deskbus_web_violations", "counter", words, "kind", violations)
        yield gauge("deskbus_web_sockets", "WebSockets that are open.", state.sockets)

    return read


def machine_metrics(lag: LoopLag, disk: DiskSpace, stderr: StandardError) -> MetricSource:
    def read() -> Iterable[Metric]:
        snapshot: HistogramSnapshot = lag.histogram.snapshot()
        yield Metric(
            "deskbus_event_loop_lag_seconds",
            "histogram",
            "How late the event loop was.",
            [Sample({}, snapshot)],
        )
        tasks = len(asyncio.all_tasks())
        yield gauge("deskbus_event_loop_tasks", "Tasks that have not ended.", tasks)
        if disk.free_bytes is not None:
            yield gauge("deskbus_disk_free_bytes", "Room for the data folder.", disk.free_bytes)
        yield counter(
            "deskbus_stderr_dropped_lines", "Lines of the log nobody read in time.", stderr.dropped
        )

    return read


def health_metrics(monitor: HealthMonitor, breakers: Iterable[CircuitBreaker]) -> MetricSource:
    known = tuple(breakers)

    def read() -> Iterable[Metric]:
        states = get_args(BreakerState)
        yield Metric(
            "deskbus_breaker_state",
            "gauge",
            "1 for the state of a circuit breaker.",
            [
                Sample({"breaker": each.name, "state": state}, float(each.state == state))
                for each in known
                for state in states
            ],
        )
        yield by_label(
            "deskbus_breaker_openings",
            "counter",
            "How often a circuit breaker has opened.",
            "breaker",
            {each.name: float(each.openings) for each in known},
        )
        report = monitor.report()
        yield Metric(
            "deskbus_component_state",
            "gauge",
            "1 for the state of a component, as health.get tells it.",
            [
                Sample({"component": name, "state": state}, float(health.status == state))
                for name, health in report.components.items()
                for state in get_args(Status)
            ],
        )

    return read
