"""The configuration file: which apps there are and what they may do.

    [[apps]]
    id = "demo.ticker"
    name = "Ticker"
    publisher = "deskbus demo"
    declares = [{ permission = "messaging.read", scope = "prices.#" }]
    grants = [{ permission = "messaging.write", scope = "ticker.#" }]
    windows = [{ url = "ticker/index.html", width = 480, height = 640 }]
    process = { kind = "python", entry = "feed.py" }

Relative files and working directories are taken from the configuration file's own folder.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus.storage.handwritten_file import HandwrittenFile, HandwrittenFileError, near
from deskbus.storage.regular_file import read_regular_file
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import Severity
from deskbus_protocol.fdc3 import Version
from deskbus_protocol.links import LinkCount
from deskbus_protocol.logging import Component, Level
from deskbus_protocol.manifest import Manifest, Origin
from deskbus_protocol.pattern import whole
from deskbus_protocol.permissions import Grant, Permission, PermissionEntry, Risk, ScopeKind
from deskbus_protocol.session import RESERVED_APPS, AppId, is_reserved
from deskbus_protocol.topics import check_pattern, overlaps
from deskbus_protocol.wire.encoding import Encoding
from deskbus_protocol.wording.display import look_alike

MESSAGE_FOLDER = "messages"
"""The folder, below the data folder, of the log of persisted messages."""

SOCKET_NAME = "bus.sock"
"""The name, in the runtime folder, of the socket that clients connect to."""

SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
"""The longest path that fits into `sockaddr_un` with its end."""

BUNDLE_MANIFEST = "bundle.json"
"""The file by which a folder is known as a bundle."""

VAULT_FOLDER = "vault"
AUDIT_FOLDER = "audit"

REFERENCE = "secret:"
"""A value that begins so stands for a secret: `deskbus vault set NAME` puts it into the vault."""

TAKES_SECRETS = (
    "apps.process.env.",
    "federation.",
    "tracing.headers.",
    "forward.headers.",
    "metrics.token.",
)
"""Where such values may be. Anywhere else one is an error, for it would be taken literally."""


class ConfigError(Exception):
    """The configuration can't be used; the message says where, why, and what to do."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table in the file; a name that is not known is an error, not ignored."""


class AppConfig(Manifest, frozen=True, kw_only=True):
    """A manifest, with the `grants` that the app has without asking."""

    grants: Annotated[list[Grant], Meta(max_length=1000)] = msgspec.field(default_factory=list)


class PermissionSpec(Section, frozen=True, kw_only=True):
    """A permission of the product's own, enforced by its shell with `permissions.requestFor`.

    `statement` and `detail` are what a person is told; `{app}` stands for the app's name. One of
    the name of a built-in permission takes its place: so the shell that enforces `system.tray`
    offers it.
    """

    name: Permission
    title: Annotated[str, Meta(min_length=1, max_length=64)]
    statement: Annotated[str, Meta(min_length=1, max_length=200)]
    detail: Annotated[str, Meta(min_length=1, max_length=300)]
    risk: Risk = "high"
    scope: ScopeKind = "fixed"

    def entry(self) -> PermissionEntry:
        return PermissionEntry(
            name=self.name,
            title=self.title,
            statement=self.statement,
            detail=self.detail,
            risk=self.risk,
            scope=self.scope,
            enforced_by="shell",
        )


class PolicyConfig(Section, frozen=True, kw_only=True):
    """Where the administrator's policy is; `policy.toml` beside this file, if it is there."""

    file: Annotated[str, Meta(min_length=1, max_length=4096)] | UnsetType = UNSET


class ConsentConfig(Section, frozen=True, kw_only=True):
    timeout_s: Annotated[float, Meta(ge=1, le=600)] = 60.0


class HeartbeatConfig(Section, frozen=True, kw_only=True):
    """A link that was silent for `interval_s` is asked; one silent for `deadline_s` is dead."""

    interval_s: Annotated[float, Meta(ge=0.1, le=3600)] = 10.0
    deadline_s: Annotated[float, Meta(ge=0.2, le=3600)] = 30.0


class LinksConfig(Section, frozen=True, kw_only=True):
    """The most links at a time, the shell's not counted, and the most of one app.

    `links.setLimits` changes both while the backend runs. With `compression` frames of more than a
    kilobyte are compressed on links whose clients ask for one of these; the first that they know.
    """

    max_links: LinkCount = 4096
    max_links_of_app: LinkCount = 1024
    compression: list[Encoding] = []


class PersistenceConfig(Section, frozen=True, kw_only=True):
    """`topics` are the patterns whose messages go to disk; segments have 10 MB.

    Batches with a message of a `sensitive` topic among them are encrypted by the vault.
    While the vault can't encrypt, messages of those topics are refused; with
    `sensitive_without_vault = "memory"` they wait in memory, and are lost if the backend ends.
    The oldest segments go when there are too many, too large in all, or too old.
    """

    enabled: bool = True
    topics: list[str] = []
    sensitive: list[str] = []
    sensitive_without_vault: Literal["refuse", "memory"] = "refuse"
    compress: bool = False
    max_segments: Annotated[int, Meta(ge=2, le=10_000)] = 100
    max_bytes: Annotated[int, Meta(ge=20_000_000)] = 1_000_000_000
    max_age_days: Annotated[float, Meta(gt=0)] = 30.0


Pattern = Annotated[str, Meta(min_length=1, max_length=256)]


Endpoint = Annotated[
    str,
    Meta(
        pattern=whole(r"https?://[A-Za-z0-9._~:/%\[\]-]+"),
        max_length=1024,
        examples=["http://127.0.0.1:4318"],
    ),
]
"""The base of a collector's addresses, as OTEL_EXPORTER_OTLP_ENDPOINT has it."""


class StreamConfig(Section, frozen=True, kw_only=True):
    """The JetStream stream of persisted topics, as it is made where there is none.

    Beyond these limits the oldest messages go, taken in by everybody or not. JetStream recognizes
    a message that was sent twice within `duplicate_window_s`.
    """

    max_age_days: Annotated[float, Meta(gt=0, le=3650)] = 7.0
    max_bytes: Annotated[int, Meta(ge=1024 * 1024)] = 1024 * 1024 * 1024
    replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    duplicate_window_s: Annotated[float, Meta(ge=1, le=86_400)] = 600.0


NatsServer = Annotated[
    str,
    Meta(
        pattern=whole(
            r"(nats|tls|wss?)://[!-~]+|[A-Za-z0-9._-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?"
        ),
        examples=["nats://nats.example.com:4222"],
    ),
]


class FederationConfig(Section, frozen=True, kw_only=True):
    """Topics that this machine shares with others through NATS; `name` is this machine's own.

    A message goes out if its topic fits `send`, and is taken in if it fits `receive`; both are
    `topics` unless given. Files are taken from the configuration's own folder. `user`, `password`,
    `token`, `credentials` (what a `.creds` file has in it) and `tls_key_password` may be
    `secret:NAME`, which stands for what `deskbus vault set NAME` has put into the vault.
    """

    name: Annotated[str, Meta(pattern=whole(r"[a-z0-9-]+"), max_length=64, examples=["desk-a"])]
    servers: Annotated[list[NatsServer], Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: ["nats://127.0.0.1:4222"]
    )
    topics: list[Pattern] = []
    send: list[Pattern] | UnsetType = UNSET
    receive: list[Pattern] | UnsetType = UNSET
    prefix: Annotated[
        str, Meta(pattern=whole(r"[A-Za-z0-9_-]+"), max_length=64, examples=["deskbus"])
    ] = "deskbus"
    tls_ca: str | UnsetType = UNSET
    tls_cert: str | UnsetType = UNSET
    tls_key: str | UnsetType = UNSET
    tls_key_password: str | UnsetType = UNSET
    user: str | UnsetType = UNSET
    password: str | UnsetType = UNSET
    token: str | UnsetType = UNSET
    credentials: str | UnsetType = UNSET
    credentials_file: str | UnsetType = UNSET
    stream: StreamConfig = StreamConfig()

    @property
    def sent_patterns(self) -> list[str]:
        return self.topics if isinstance(self.send, UnsetType) else self.send

    @property
    def received_patterns(self) -> list[str]:
        return self.topics if isinstance(self.receive, UnsetType) else self.receive


class AuditConfig(Section, frozen=True, kw_only=True):
    """A file of the audit log ends at `file_bytes`, at the end of a day (UTC) and of a run.

    The oldest closed files go when they are too old, or the log is too large. `append_only` sets
    the file system's append-only attribute, which only root may.
    """

    file_bytes: Annotated[int, Meta(ge=100_000, le=1_000_000_000)] = 16_000_000
    max_age_days: Annotated[float, Meta(gt=0)] = 365.0
    max_bytes: Annotated[int, Meta(ge=1_000_000)] = 4_000_000_000
    append_only: bool = False


class MetricsConfig(Section, frozen=True, kw_only=True):
    """With `socket`, Prometheus' text is served at `metrics.sock` beside the pipe, over HTTP.

    Of apps that stand in labels, the first `apps` are told by name, all others as `other`.
    `latency` measures how long messages take, by samples. A request with the `token`, which may be
    `secret:NAME`, gets the same at /metrics of the web gateway. So do, without one, processes of
    the other users of this machine that `scrapers` names, or has the numbers of, and they get
    nothing else there.
    """

    socket: bool = False
    latency: bool = True
    token: Annotated[str, Meta(min_length=16, max_length=1024)] | UnsetType = UNSET
    scrapers: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(max_length=16)
    ] = []
    apps: Annotated[int, Meta(ge=0, le=1000)] = 100


class Fdc3Config(Section, frozen=True, kw_only=True):
    """FDC3, which is off without this section.

    `directories` are app directories (AppD v2): files and folders of JSON, taken from the
    configuration's own folder, and https addresses. An app that is in one may ask a person for
    what FDC3 needs (`consent = "ask"`), has what its record says and may ask for more
    (`"directory"`), or has all of it (`"allow"`). A policy outranks that.
    """

    version: Version = "2.2"
    consent: Literal["ask", "directory", "allow"] = "ask"
    directories: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=2048)]], Meta(max_length=64)
    ] = []


class SessionConfig(Section, frozen=True, kw_only=True):
    """With `keep` the desk is kept as it changes: apps, windows and their places, channels.

    `session.restore`, or `deskbus session restore`, brings it back after a restart.
    """

    keep: bool = False


class ForwardConfig(Section, frozen=True, kw_only=True):
    """A place that audit records go to as they are made, at least once, and `alerts` about health.

    `to` is `syslog+tls://HOST:PORT`, or a collector's https or http address for OTLP. Only records
    of these `types`, `apps` and `severities` go there, all where none is named; `since` says what
    goes there first. Files are taken from the configuration's own folder; `headers` may be
    `secret:NAME`.
    """

    name: Annotated[str, Meta(pattern=whole(r"[a-z0-9-]+"), max_length=64, examples=["siem"])]
    to: Annotated[
        str,
        Meta(
            pattern=whole(r"(syslog\+tls|https?)://[A-Za-z0-9._~:/%\[\]-]+"),
            max_length=1024,
            examples=["syslog+tls://logs.example.com:6514"],
        ),
    ]
    types: list[Annotated[str, Meta(max_length=64)]] = []
    apps: list[Annotated[str, Meta(max_length=128)]] = []
    severities: list[Severity] = []
    alerts: bool = True
    since: Literal["now", "beginning"] = "now"
    tls_ca: str | UnsetType = UNSET
    tls_cert: str | UnsetType = UNSET
    tls_key: str | UnsetType = UNSET
    headers: dict[str, str] = {}


class LoggingConfig(Section, frozen=True, kw_only=True):
    """The log goes to standard error, and with `file` into files too, as JSON or readable text.

    A file ends at `max_bytes`; `files` are kept in all. The path is taken from the data folder.
    `levels` are of components, the first words of events: `levels = { vault = "debug" }`.
    """

    file: Annotated[str, Meta(min_length=1, max_length=4096)] | UnsetType = UNSET
    form: Literal["json", "console"] = "json"
    max_bytes: Annotated[int, Meta(ge=10_000, le=1_000_000_000)] = 10_000_000
    files: Annotated[int, Meta(ge=1, le=1000)] = 5
    levels: dict[Component, Level] = {}


class TracingConfig(Section, frozen=True, kw_only=True):
    """With `enabled`, `ratio` of all messages and calls are traced, and all of `topics`, though no
    more than `max_per_s` traces begin in a second, here and at each client.

    Of what is not sampled, errors and what takes longer than `slow_ms` are told all the same, by
    one span. Spans go to `endpoint`, a collector that takes OTLP over HTTP, where one is named;
    `headers` may be `secret:NAME`.
    """

    enabled: bool = False
    ratio: Annotated[float, Meta(ge=0, le=1)] = 0.01
    topics: list[Pattern] = []
    max_per_s: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    slow_ms: Annotated[int, Meta(ge=1, le=3_600_000)] = 1000
    endpoint: Endpoint | UnsetType = UNSET
    headers: dict[str, str] = {}


class OutsideOrigin(Section, frozen=True, kw_only=True):
    """Pages of `origin`, such as `https://desk.example.com`, may ask to come as `app`."""

    origin: Origin
    app: AppId


class WebConfig(Section, frozen=True, kw_only=True):
    """The web gateway, on this machine's loopback addresses alone.

    Without a `port` one is chosen at the first start, and kept for the data folder: what a browser
    stores belongs to an origin, and the port is part of it.
    """

    port: Annotated[int, Meta(ge=1024, le=65_535)] | UnsetType = UNSET
    origins: Annotated[list[OutsideOrigin], Meta(max_length=100)] = []


class Config(Section, frozen=True, kw_only=True):
    """With `tools`, `deskbus call` and its like reach a backend that a shell has started, too.

    A ticket for them then lies in the runtime folder, where this user alone can read it.
    `development` lets `deskbus chaos` make faults; health tells that it is on.
    """

    tools: bool = False
    development: bool = False
    apps: list[AppConfig] = []
    permissions: list[PermissionSpec] = []
    policy: PolicyConfig = PolicyConfig()
    consent: ConsentConfig = ConsentConfig()
    heartbeat: HeartbeatConfig = HeartbeatConfig()
    links: LinksConfig = LinksConfig()
    persistence: PersistenceConfig = PersistenceConfig()
    audit: AuditConfig = AuditConfig()
    metrics: MetricsConfig = MetricsConfig()
    tracing: TracingConfig = TracingConfig()
    logging: LoggingConfig = LoggingConfig()
    forward: Annotated[list[ForwardConfig], Meta(max_length=16)] = []
    federation: FederationConfig | UnsetType = UNSET
    fdc3: Fdc3Config | UnsetType = UNSET
    session: SessionConfig = SessionConfig()
    web: WebConfig | UnsetType = UNSET


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration with the places that it was found at and is run in."""

    config: Config
    folder: Path
    data_dir: Path
    runtime_dir: Path

    @property
    def fdc3_version(self) -> Version | UnsetType:
        """The version of FDC3 that pages have; unset where it is off."""
        fdc3 = self.config.fdc3
        return UNSET if isinstance(fdc3, UnsetType) else fdc3.version


def bundle_folder() -> Path | None:
    """The bundle from which this runs; None where the interpreter is in none."""
    folder = Path(sys.prefix)
    return folder if (folder / BUNDLE_MANIFEST).is_file() else None


def load(path: Path | None) -> Config:
    """Reads a configuration file; without one, there are no apps.

    Raises `ConfigError`.
    """
    return Config() if path is None else ConfigFile(path).load()


def archive_of(path: Path) -> Path | None:
    """The asar archive that a path leads into: a file, which Electron alone sees as a folder."""
    return next(
        (place for place in path.parents if place.suffix == ".asar" and place.is_file()), None
    )


class ConfigFile:
    """The file as a person wrote it, so that an error can name the line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = HandwrittenFile(path, Config)

    def load(self) -> Config:
        """Raises `ConfigError`."""
        archive = archive_of(self.path.absolute())
        if archive is not None:
            raise ConfigError(
                f"{self.path}: It lies inside {archive.name}, an archive that only Electron can "
                "read. Keep the configuration, the programs and the pages outside of it: among "
                "Electron Builder's extraResources, or its asarUnpack."
            )
        try:
            config = self._written.read_toml(read_regular_file(self.path))
        except OSError as error:
            action = "Give the path of a TOML file that this user can read."
            raise ConfigError(f"{self.path}: {error.strerror}. {action}") from error
        except HandwrittenFileError as error:
            raise ConfigError(str(error)) from error
        for place, value in _texts(self._written.content, ""):
            if value.startswith(REFERENCE) and not place.startswith(TAKES_SECRETS):
                raise self.error(
                    place[:-1],
                    f"{place[:-1]} can't be a secret of the vault",
                    "docs/observability.md, federation.md and apps.md name the places that do.",
                    word=value,
                )
        self._check_patterns(config)
        self._check_permissions(config)
        self._check_web(config)
        return config

    def error(self, place: str, cause: str, action: str, *, word: str = "") -> ConfigError:
        """An error at a key such as `apps[0].grants[1].scope`; `word` stands in its line."""
        return ConfigError(str(self._written.error(place, cause, action, word=word)))

    def _check_patterns(self, config: Config) -> None:
        for place, patterns in _patterns(config).items():
            for pattern in patterns:
                try:
                    check_pattern(pattern)
                except DeskbusError as error:
                    cause = f"topic {pattern}: {error.message}"
                    raise self.error(place, cause, error.action, word=pattern) from error
        names = [each.name for each in config.forward]
        for number, name in enumerate(names):
            if name in names[:number]:
                place = f"forward[{number}].name"
                raise self.error(place, f"two are named {name}", "Rename one.", word=name)
        kept = config.persistence
        for pattern in kept.sensitive if kept.enabled else ():
            if not any(overlaps(pattern, topic) for topic in kept.topics):
                raise self.error(
                    "persistence.sensitive",
                    f"{pattern} is outside persistence.topics, so nothing of it is on disk",
                    "Add it to topics too, or take it out of sensitive.",
                    word=pattern,
                )

    def _check_web(self, config: Config) -> None:
        if isinstance(config.web, UnsetType):
            return
        known = [app.id for app in config.apps]
        for number, each in enumerate(config.web.origins):
            if each.app not in known:
                cause = f"there is no app {each.app}"
                action = near(each.app, known) or "Name one of the configuration's apps."
                raise self.error(f"web.origins[{number}].app", cause, action, word=each.app)

    def _check_permissions(self, config: Config) -> None:
        built_in = Catalogue()
        for number, spec in enumerate(config.permissions):
            known = built_in.enforced(spec.name)
            if known is not None and known.enforced_by != "shell":
                raise self.error(
                    f"permissions[{number}].name",
                    f"the permission {spec.name} is the backend's own",
                    "Give it another name.",
                    word=spec.name,
                )
        names = [spec.name for spec in config.permissions] + list(built_in)
        ids = [app.id for app in config.apps]
        for number, app in enumerate(config.apps):
            place = f"apps[{number}]"
            if app.id in ids[:number]:
                cause = f"two apps have the id {app.id}"
                raise self.error(f"{place}.id", cause, "Give each app an id of its own.")
            if is_reserved(app.id):
                cause = f"the id {app.id} is reserved"
                action = f"Choose one that does not begin with {RESERVED_APPS}"
                raise self.error(f"{place}.id", cause, action)
            other = look_alike(app.id, ids)
            if other is not None:
                raise self.error(
                    f"{place}.id", f"{app.id} and {other} look alike", "Rename one of them."
                )
            for key in ("declares", "grants"):
                for at, grant in enumerate(getattr(app, key)):
                    if grant.permission not in names:
                        raise self.error(
                            f"{place}.{key}[{at}].permission",
                            f"{app.id}: there is no permission {grant.permission}",
                            near(grant.permission, names) or "docs/permissions.md lists them.",
                            word=grant.permission,
                        )


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Every text in the file with its place, such as `apps.name.`."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, place)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, f"{place}{name}.")


def hash_of(config: Config) -> str:
    """SHA-256 in hex; the same for files that say the same."""
    return hashlib.sha256(msgspec.json.encode(config, order="sorted")).hexdigest()


def _patterns(config: Config) -> dict[str, list[str]]:
    """Every pattern in the file, by its key."""
    found = {
        "persistence.topics": config.persistence.topics,
        "persistence.sensitive": config.persistence.sensitive,
    }
    found["tracing.topics"] = config.tracing.topics
    shared = config.federation
    if not isinstance(shared, UnsetType):
        found["federation.topics"] = shared.topics
        found["federation.send"] = shared.sent_patterns
        found["federation.receive"] = shared.received_patterns
    return found


def default_data_dir() -> Path:
    """Where this platform keeps an application's data for one user.

    Raises `ConfigError` where nothing says where this user's home is.
    """
    variable, below = ("LOCALAPPDATA", "AppData/Local")
    if os.name != "nt":
        variable, below = ("XDG_DATA_HOME", ".local/share")
    return (_folder_in(variable) or _home() / below) / "deskbus"


def _folder_in(variable: str) -> Path | None:
    """An empty or relative path counts as none, as the XDG Base Directory Specification says."""
    folder = Path(os.environ.get(variable, ""))
    return folder if folder.is_absolute() else None


def _home() -> Path:
    """Raises `ConfigError`."""
    named = _folder_in("HOME") if os.name != "nt" else None
    if named is not None:
        return named
    try:
        if sys.platform == "win32":
            return Path.home()
        else:
            import pwd

            return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (KeyError, RuntimeError):
        raise ConfigError("this user has no home folder: name a folder with --data-dir") from None


def runtime_dir_for(data_dir: Path) -> Path:
    """The folder of the pipe and the developer ticket, one for each data folder.

    A Unix socket's path is at most 107 bytes long, so it is not simply below the data folder.
    """
    short = Path(f"/tmp/deskbus-{_user()}")  # noqa: S108
    if os.name == "nt":
        base = default_data_dir().with_name("deskbus-run")
    else:
        base = _folder_in("XDG_RUNTIME_DIR") or short
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    folder = base / f"deskbus-{digest}"
    # Clients come to the same result, for they have the same environment.
    return folder if fits_socket(folder) else short / f"deskbus-{digest}"


def fits_socket(folder: Path) -> bool:
    """Whether a socket in this folder has a path that the system takes."""
    return os.name == "nt" or len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_BYTES


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
