"""`control.*`: the control centre, where an operator looks first.

Its pages call these methods beside those of other domains that name `control.view` or
`control.act` as their permission. Times are Unix milliseconds, rates are a second's.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from deskbus_protocol.apps import Crash
from deskbus_protocol.bus import Topic
from deskbus_protocol.envelope import Headers
from deskbus_protocol.health import ComponentHealth, Phrase, Status
from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.pattern import whole
from deskbus_protocol.session import AppId

CONTROL_APP = "deskbus.control"
"""The app as which pages of the control centre come through the web gateway. It has no grants:
each browser that a person let in has what its codes gave it, and for as long.
"""

MAX_TRAFFIC_TOPICS = 200
"""Topics in one picture of the traffic: those with the highest rates."""

MAX_TRAFFIC_READERS = 50
"""Readers that are named of one topic; `more_readers` counts the others."""

MAX_TOPIC_ROWS = 100_000
"""Topics in one list."""

MAX_TAIL_MESSAGES = 100
"""Messages of a topic in one answer."""

CentrePage = Annotated[str, Meta(pattern=whole(r"[a-z][a-z:-]{0,71}(/[\x20-\x7e]{0,256})?"))]

Series = Literal[
    "received",
    "delivered",
    "receivedBytes",
    "errors",
    "refused",
    "clients",
    "queued",
    "latencyP50",
    "latencyP95",
    "latencyP99",
    "memory",
    "loopLag",
    "deadLetters",
]
"""`received`, `delivered`, `receivedBytes` and `errors` are rates. Latencies and lag are seconds,
`memory` is bytes, the others are counts.
"""


class OpenCentreParams(Params, frozen=True, kw_only=True):
    """`page` is a page's name, with what it looks at behind a slash; the overview without one."""

    page: CentrePage = "overview"


class SamplesParams(Params, frozen=True, kw_only=True):
    """The last `span` milliseconds, at the finest resolution that is still kept of them."""

    span: Annotated[int, Meta(ge=1000, le=86_400_000)] = 600_000


class SamplesResult(Result, frozen=True, kw_only=True):
    """`times` are the ends of the samples, `step` milliseconds apart where none is missing.

    `series` has a value for each time, null where there was none.
    """

    step: int
    times: list[int]
    series: dict[Series, list[float | None]]


NeedKind = Literal[
    "vault_locked",
    "vault_memory",
    "app_failed",
    "app_restarting",
    "app_unresponsive",
    "disk",
    "log_damaged",
    "audit",
    "dead_letters",
    "slow_readers",
    "full_queues",
    "component",
]


class Need(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Something that a person has to see to. `subject` is the app or the component, `count` how
    many, `detail` the component's own words in English, `phrases` the same by their keys. The page
    knows the words and the action of each kind.
    """

    kind: NeedKind
    severity: Literal["caution", "bad"]
    subject: str = ""
    name: str = ""
    count: int = 0
    detail: str = ""
    phrases: list[Phrase] = []


class Talker(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A client and the rate at which it publishes, estimated from topics' last messages."""

    app: str
    client: str
    rate: float


class BusyTopic(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    topic: str
    rate: float
    readers: int


class ControlOverview(Result, frozen=True, kw_only=True):
    """`acts` says whether the caller may act as well; `acts_until` where that ends by itself."""

    status: Status
    version: str
    epoch: str
    uptime: int
    now: int
    components: dict[str, ComponentHealth]
    needs: list[Need]
    talkers: list[Talker]
    topics: list[BusyTopic]
    clients: int
    offline_clients: int
    subscriptions: int
    topic_count: int
    apps_running: int
    apps: int
    acts: bool
    tracing: bool
    acts_until: int | UnsetType = UNSET


class TrafficParams(Params, frozen=True, kw_only=True):
    """The busiest topics, of those in whose name, readers or writers `search` occurs."""

    search: Annotated[str, Meta(max_length=256)] = ""
    limit: Annotated[int, Meta(ge=1, le=MAX_TRAFFIC_TOPICS)] = 24


class TrafficWriter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`share` is of the topic's last messages, from 0 to 1."""

    app: str
    client: str
    share: float


class TrafficReader(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    app: str
    client: str


class TopicTraffic(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    topic: str
    rate: float
    messages: int
    last: int
    persisted: bool
    sensitive: bool
    writers: list[TrafficWriter]
    readers: list[TrafficReader]
    more_readers: int = 0


class TrafficResult(Result, frozen=True, kw_only=True):
    """`period` is the milliseconds over which rates were taken; 0 at the first look."""

    period: int
    topics: list[TopicTraffic]
    topic_count: int


class TopicListParams(Params, frozen=True, kw_only=True):
    """Topics in whose name `search` occurs."""

    search: Annotated[str, Meta(max_length=256)] = ""


class TopicListResult(Result, frozen=True, kw_only=True):
    """Columns of equal length, the busiest first."""

    topics: list[str]
    rates: list[float]
    messages: list[int]
    readers: list[int]
    last: list[int]
    topic_count: int


class TopicParams(Params, frozen=True, kw_only=True):
    """With `after` only messages with a higher seq, so that a tail can be followed."""

    topic: Topic
    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_TAIL_MESSAGES)] = 50


class TopicResult(Result, frozen=True, kw_only=True):
    """The newest `messages`, oldest first, as envelopes; `skipped` are those between `after` and
    the first of them. Of a `sensitive` topic no messages are shown.
    """

    traffic: TopicTraffic
    seq: int
    messages: list[Raw]
    skipped: int


class ClientInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`oldest` is the age in milliseconds of what waits longest for it, 0 where nothing does;
    `away` how long it has been away.
    """

    app: str
    client: str
    online: bool
    slow: bool
    subscriptions: list[str]
    queued: int
    queued_bytes: int
    unacknowledged: int
    oldest: int = 0
    away: int = 0


class ClientsResult(Result, frozen=True, kw_only=True):
    clients: list[ClientInfo]


class AppUsage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The last samples of an app, `step` milliseconds apart; CPU is percent of one core."""

    app: str
    cpu: list[float]
    memory: list[int]


class UsageResult(Result, frozen=True, kw_only=True):
    step: int
    apps: list[AppUsage]


class AppProcessInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One process of an app's tree; `cpu` is the milliseconds of processor that it has used.

    `window` says that it draws the app's windows.
    """

    pid: int
    parent: int
    name: str
    memory_bytes: int
    cpu: int
    window: bool = False


class ControlAppParams(Params, frozen=True, kw_only=True):
    app: AppId


class ControlAppResult(Result, frozen=True, kw_only=True):
    """`log` is the last lines that the app wrote; `crashes` its last ends, the newest first."""

    processes: list[AppProcessInfo]
    log: list[str]
    crashes: list[Crash]


class ControlPublishParams(Params, frozen=True, kw_only=True):
    """A message of the caller's own, which an app needs to be permitted to write."""

    topic: Topic
    payload: Raw
    headers: Headers | UnsetType = UNSET


class ControlPublishResult(Result, frozen=True, kw_only=True):
    id: str
    seq: int
    receivers: int


METHODS = (
    Method(
        name="control.open",
        summary="Opens the control centre in the shell, or brings its window to the front.",
        params=OpenCentreParams,
        result=Empty,
        callers="shell",
    ),
    Method(
        name="ui.openControlCentre",
        summary="Opens the control centre's window at a page.",
        params=OpenCentreParams,
        result=Empty,
        handled_by="shell",
    ),
    Method(
        name="control.overview",
        summary="Tells how everything is, what needs a person now, and who is busiest.",
        params=NoParams,
        result=ControlOverview,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="control.samples",
        summary="The course of the figures over the last minutes or hours, up to a day.",
        params=SamplesParams,
        result=SamplesResult,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="control.traffic",
        summary="Tells who talks to whom: the busiest topics, with their writers and readers.",
        params=TrafficParams,
        result=TrafficResult,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="control.topics",
        summary="Lists topics with their rates.",
        params=TopicListParams,
        result=TopicListResult,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="control.topic",
        summary="A topic's last messages, its writers and its readers.",
        params=TopicParams,
        result=TopicResult,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="control.clients",
        summary="Lists the clients with their subscriptions, and what waits for them.",
        params=NoParams,
        result=ClientsResult,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="control.usage",
        summary="The course of each app's processor and memory over the last minutes.",
        params=NoParams,
        result=UsageResult,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="control.app",
        summary="An app's processes, its last lines, and how it ended before.",
        params=ControlAppParams,
        result=ControlAppResult,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="control.publish",
        summary="Publishes a message of the operator's own, for a test.",
        params=ControlPublishParams,
        result=ControlPublishResult,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
)
