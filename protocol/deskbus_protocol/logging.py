"""`logging.*`: which lines the backend's own log has."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.method import Method, NoParams, Params, Result
from deskbus_protocol.pattern import whole

Level = Literal["debug", "info", "warning", "error"]
Component = Annotated[str, Meta(pattern=whole("[a-z][a-z0-9_]*"), max_length=64)]


class SetLoggingParams(Params, frozen=True, kw_only=True):
    """Without a component, the level of all that have none of their own; without a level, the
    component has none of its own any more.

    A component is the first word of a line's event, as `vault` of `vault.disk`.
    """

    component: Component | UnsetType = UNSET
    level: Level | UnsetType = UNSET


class LoggingResult(Result, frozen=True, kw_only=True):
    """`components` have levels of their own, all others have `level`. Levels last as long as the
    backend runs.
    """

    level: Level
    components: dict[str, Level]


METHODS = (
    Method(
        name="logging.get",
        summary="The levels of the backend's log.",
        params=NoParams,
        result=LoggingResult,
        callers="shell",
    ),
    Method(
        name="logging.set",
        summary="Changes the level of the backend's log, or of one component in it.",
        params=SetLoggingParams,
        result=LoggingResult,
        callers="shell",
        recorded="before",
    ),
)
