"""Panels: lists, charts, graphs and trees, with search, filters and actions, drawn by the shell.

A panel's window knows nothing of what it shows. The backend sends the whole content anew when it
changes; the shell sends back what the person looks for, and which action was taken on which row.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.pattern import whole
from deskbus_protocol.ui import Descriptor, Text

MAX_ROWS = 500
"""Of one page."""

MAX_POINTS = 2_000
"""Of one line of a chart."""

MAX_NODES = 500
"""Of one graph or tree."""

MAX_REGISTERED = 32
"""Panels of a shell's own."""

PanelName = Annotated[str, Meta(pattern=whole(r"[a-z][a-z-]*"), max_length=64)]
PanelId = Annotated[str, Meta(min_length=1, max_length=128)]
PartId = Annotated[str, Meta(pattern=whole(r"[A-Za-z][A-Za-z0-9_-]*"), max_length=64)]
RowId = Annotated[str, Meta(min_length=1, max_length=512)]
LongText = Annotated[str, Meta(max_length=10_000)]
Cursor = Annotated[str, Meta(max_length=1024)]
Search = Annotated[str, Meta(max_length=200)]
Tone = Literal["plain", "quiet", "good", "caution", "bad", "accent"]


class PanelFact(Descriptor, frozen=True, kw_only=True):
    """A label and its value: in the head of a panel, or in the details of a row."""

    label: Text
    text: LongText
    tone: Tone = "plain"
    look: Literal["text", "code"] = "text"


class PanelVerdict(Descriptor, frozen=True, kw_only=True):
    """One line that says how things stand. `progress` is from 0 to 1 while work is under way."""

    text: Text
    tone: Tone = "plain"
    detail: Text | UnsetType = UNSET
    progress: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET


class PanelOption(Descriptor, frozen=True, kw_only=True):
    value: Text
    label: Text


class PanelFilter(Descriptor, frozen=True, kw_only=True):
    """A choice of one option, or with none a text field. An empty value filters nothing."""

    id: PartId
    label: Text
    options: Annotated[list[PanelOption], Meta(max_length=500)] = msgspec.field(
        default_factory=list
    )
    value: Text = ""


class PanelSearch(Descriptor, frozen=True, kw_only=True):
    placeholder: Text = "Search"
    value: Search = ""


class PanelColumn(Descriptor, frozen=True, kw_only=True):
    """`weight` is the column's share of the width that the others leave; 0 fits the content."""

    id: PartId
    title: Text
    align: Literal["start", "end"] = "start"
    weight: Annotated[int, Meta(ge=0, le=20)] = 1


class PanelCell(Descriptor, frozen=True, kw_only=True):
    """`note` is a second, quieter line. A time is Unix milliseconds, shown in local time."""

    text: LongText = ""
    note: Text | UnsetType = UNSET
    time: int | UnsetType = UNSET
    tone: Tone = "plain"
    look: Literal["text", "strong", "code", "badge"] = "text"


class PanelAction(Descriptor, frozen=True, kw_only=True):
    """A button. With `confirm` the person is asked that first, and `confirm_label` does it.

    With `saves` the shell asks where to save a file of that name, and sends the path.
    """

    id: PartId
    label: Text
    style: Literal["plain", "primary", "danger"] = "plain"
    confirm: Text | UnsetType = UNSET
    confirm_label: Text | UnsetType = UNSET
    saves: Annotated[str, Meta(pattern=whole(r"[A-Za-z0-9][A-Za-z0-9._-]*"), max_length=128)] | (
        UnsetType
    ) = UNSET
    disabled: bool = False


class PanelRow(Descriptor, frozen=True, kw_only=True):
    """Cells in the order of the columns; `actions` are ids out of the panel's row actions.

    Rows of one `group` stand together below its heading. `details` show when the row is opened.
    """

    id: RowId
    cells: Annotated[list[PanelCell], Meta(max_length=12)]
    group: RowId | UnsetType = UNSET
    actions: Annotated[list[PartId], Meta(max_length=8)] = msgspec.field(default_factory=list)
    details: Annotated[list[PanelFact], Meta(max_length=50)] = msgspec.field(default_factory=list)


class PanelGroup(Descriptor, frozen=True, kw_only=True):
    """A heading above rows; its actions are taken with the group's id in place of a row's."""

    id: RowId
    title: Text
    note: Text = ""
    actions: Annotated[list[PartId], Meta(max_length=8)] = msgspec.field(default_factory=list)


class PanelMessage(Descriptor, frozen=True, kw_only=True):
    """In place of rows: why there are none, or what went wrong."""

    title: Text
    text: Text = ""


class PanelTab(Descriptor, frozen=True, kw_only=True):
    """One of several views of a panel; which one is asked for comes back as the query's `tab`."""

    id: PartId
    label: Text
    note: Text = ""


class PanelSeries(Descriptor, frozen=True, kw_only=True):
    """A line of a chart: a value for each of its times, null where there was none."""

    label: Text
    values: Annotated[list[float | None], Meta(max_length=MAX_POINTS)]
    tone: Tone = "plain"


class PanelChart(Descriptor, frozen=True, kw_only=True, tag_field="kind", tag="chart"):
    """Values over time. `times` are Unix milliseconds, ascending; seconds and bytes are scaled to
    what is readable.
    """

    id: PartId
    title: Text
    unit: Literal["count", "rate", "bytes", "seconds", "percent"] = "count"
    times: Annotated[list[int], Meta(max_length=MAX_POINTS)]
    series: Annotated[list[PanelSeries], Meta(min_length=1, max_length=6)]


class PanelNode(Descriptor, frozen=True, kw_only=True):
    """`column` is the node's place from the start: edges lead from a column to the next."""

    id: RowId
    label: Text
    note: Text = ""
    column: Annotated[int, Meta(ge=0, le=2)] = 0
    tone: Tone = "plain"


class PanelEdge(Descriptor, frozen=True, kw_only=True):
    """An edge between the nodes of two ids, as wide as its weight beside the others."""

    source: RowId
    target: RowId
    weight: Annotated[float, Meta(ge=0)] = 1.0
    tone: Tone = "plain"


class PanelGraph(Descriptor, frozen=True, kw_only=True, tag_field="kind", tag="graph"):
    """Nodes in up to three columns, in the order in which they are given."""

    id: PartId
    title: Text
    nodes: Annotated[list[PanelNode], Meta(max_length=MAX_NODES)]
    edges: Annotated[list[PanelEdge], Meta(max_length=2 * MAX_NODES)]


class PanelTreeNode(Descriptor, frozen=True, kw_only=True):
    """A line of a tree, below the line of its `parent`, which comes before it."""

    id: RowId
    label: Text
    note: Text = ""
    parent: RowId | UnsetType = UNSET
    tone: Tone = "plain"


class PanelTree(Descriptor, frozen=True, kw_only=True, tag_field="kind", tag="tree"):
    """Lines below lines."""

    id: PartId
    title: Text
    nodes: Annotated[list[PanelTreeNode], Meta(max_length=MAX_NODES)]


class PanelContent(Descriptor, frozen=True, kw_only=True):
    """A panel's content. `error` stands above the rows; `empty` in place of none.

    `parts` stand above the rows; a panel of parts alone has no columns. Of `tabs` one is chosen.

    `next` and `previous` are cursors of other pages. `live` tells whether new rows come by
    themselves; a panel that has no such switch leaves it out.
    """

    title: Text
    subtitle: Text = ""
    facts: Annotated[list[PanelFact], Meta(max_length=12)] = msgspec.field(default_factory=list)
    verdict: PanelVerdict | UnsetType = UNSET
    search: PanelSearch | UnsetType = UNSET
    filters: Annotated[list[PanelFilter], Meta(max_length=12)] = msgspec.field(default_factory=list)
    tabs: Annotated[list[PanelTab], Meta(max_length=8)] = msgspec.field(default_factory=list)
    tab: PartId | UnsetType = UNSET
    parts: Annotated[list[PanelChart | PanelGraph | PanelTree], Meta(max_length=8)] = msgspec.field(
        default_factory=list
    )
    columns: Annotated[list[PanelColumn], Meta(max_length=12)] = msgspec.field(default_factory=list)
    groups: Annotated[list[PanelGroup], Meta(max_length=MAX_ROWS)] = msgspec.field(
        default_factory=list
    )
    rows: Annotated[list[PanelRow], Meta(max_length=MAX_ROWS)] = msgspec.field(default_factory=list)
    row_actions: Annotated[list[PanelAction], Meta(max_length=12)] = msgspec.field(
        default_factory=list
    )
    actions: Annotated[list[PanelAction], Meta(max_length=8)] = msgspec.field(default_factory=list)
    summary: Text = ""
    next: Cursor | UnsetType = UNSET
    previous: Cursor | UnsetType = UNSET
    live: bool | UnsetType = UNSET
    empty: PanelMessage | UnsetType = UNSET
    error: PanelMessage | UnsetType = UNSET


class PanelDescriptor(Descriptor, frozen=True, kw_only=True, tag_field="kind", tag="panel"):
    """A panel as it is shown. A higher `revision` replaces a lower one, never the reverse."""

    panel: PanelId
    name: PanelName
    revision: Annotated[int, Meta(ge=1)]
    content: PanelContent


class PanelQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's query in a panel. `filters` holds values by filter id, without empty ones.

    `locale` is of the person who looks (BCP 47); the panel is in English without one.
    """

    search: Search = ""
    filters: Annotated[dict[PartId, Text], Meta(max_length=12)] = msgspec.field(
        default_factory=dict
    )
    cursor: Cursor = ""
    live: bool = False
    tab: PartId | UnsetType = UNSET
    locale: Annotated[str, Meta(max_length=35)] = ""


class ListedPanel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`own` says that the shell has added it."""

    name: str
    title: str
    own: bool = False


class PanelList(Result, frozen=True, kw_only=True):
    """`panels` tells of each what people call it."""

    names: list[str]
    panels: list[ListedPanel] = msgspec.field(default_factory=list)


class OpenPanelParams(Params, frozen=True, kw_only=True):
    name: PanelName
    query: PanelQuery = PanelQuery()


class OpenedPanel(Result, frozen=True, kw_only=True):
    panel: str


class DrawPanelParams(Params, frozen=True, kw_only=True):
    descriptor: PanelDescriptor


class PanelQueryParams(Params, frozen=True, kw_only=True):
    """The answer comes as `ui.updatePanel`."""

    panel: PanelId
    query: PanelQuery


class PanelActionParams(Params, frozen=True, kw_only=True):
    """`revision` is that of the descriptor on which the person acted; `path` where to save."""

    panel: PanelId
    revision: int
    action: PartId
    row: RowId | UnsetType = UNSET
    path: Annotated[str, Meta(min_length=1, max_length=4096)] | UnsetType = UNSET


class PanelActionResult(Result, frozen=True, kw_only=True):
    """`message` tells the person what came of it; empty where the panel shows it anyway."""

    message: str = ""


class PerformParams(Params, frozen=True, kw_only=True):
    """An action of the panel that this `query` shows, on a row or a group where one is named."""

    name: PanelName
    query: PanelQuery = PanelQuery()
    action: PartId
    row: RowId | UnsetType = UNSET


class RegisterPanelParams(Params, frozen=True, kw_only=True):
    """`title` names it in lists."""

    name: PanelName
    title: Text


class DescribePanelParams(Params, frozen=True, kw_only=True):
    """Asks a shell for the content of a panel of its own."""

    name: PanelName
    query: PanelQuery = PanelQuery()


class ActInPanelParams(Params, frozen=True, kw_only=True):
    """Asks a shell to do what a person chose in a panel of its own."""

    name: PanelName
    action: PartId
    row: RowId | UnsetType = UNSET


class PanelParams(Params, frozen=True, kw_only=True):
    panel: PanelId


METHODS = (
    Method(
        name="panels.list",
        summary="Names the panels that there are.",
        params=NoParams,
        result=PanelList,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="panels.open",
        summary="Opens a panel in a window of the shell, or brings its window to the front.",
        params=OpenPanelParams,
        result=OpenedPanel,
        callers="shell",
    ),
    Method(
        name="panels.describe",
        summary="Tells what a panel would show, without opening it.",
        params=OpenPanelParams,
        result=PanelContent,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="panels.perform",
        summary="Does an action of a panel, if it is offered there now.",
        params=PerformParams,
        result=PanelActionResult,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
    Method(
        name="panels.register",
        summary="Adds a panel of the shell's own, whose content it describes when asked.",
        params=RegisterPanelParams,
        result=Empty,
        callers="shell",
    ),
    Method(
        name="ui.describePanel",
        summary="Asks for the content of a panel of the shell's own.",
        params=DescribePanelParams,
        result=PanelContent,
        handled_by="shell",
    ),
    Method(
        name="ui.actInPanel",
        summary="Does what a person chose in a panel of the shell's own.",
        params=ActInPanelParams,
        result=PanelActionResult,
        handled_by="shell",
    ),
    Method(
        name="ui.openPanel",
        summary="Draws a panel in a window of its own.",
        params=DrawPanelParams,
        result=Empty,
        handled_by="shell",
    ),
    Method(
        name="ui.updatePanel",
        summary="Draws new content in an open panel.",
        params=DrawPanelParams,
        handled_by="shell",
    ),
    Method(
        name="ui.closePanel",
        summary="Closes a panel's window.",
        params=PanelParams,
        handled_by="shell",
    ),
    Method(
        name="ui.panelQuery",
        summary="Tells the backend what a person looks for in a panel, or which page.",
        params=PanelQueryParams,
        result=Empty,
        callers="shell",
    ),
    Method(
        name="ui.panelAction",
        summary="A person's action in a panel; counts on the shell link only.",
        params=PanelActionParams,
        result=PanelActionResult,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="ui.panelClosed",
        summary="Tells the backend that a panel's window is closed.",
        params=PanelParams,
        callers="shell",
    ),
)
