"""`logging.*`."""

from collections.abc import Mapping
from typing import cast

import structlog
from msgspec import UnsetType

from deskbus.observability.logs.log_levels import LogLevels
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus_protocol.errors import INVALID_PARAMS, OVERLOADED, DeskbusError
from deskbus_protocol.logging import Level, LoggingResult, SetLoggingParams
from deskbus_protocol.method import NoParams

log = structlog.get_logger()


def handlers(levels: LogLevels) -> Mapping[str, Handler]:
    def told() -> LoggingResult:
        return LoggingResult(
            level=cast(Level, levels.default),
            components={name: cast(Level, level) for name, level in levels.components.items()},
        )

    async def get(_: Call, __: NoParams) -> LoggingResult:
        return told()

    async def change(_: Call, params: SetLoggingParams) -> LoggingResult:
        component = None if isinstance(params.component, UnsetType) else params.component
        if not isinstance(params.level, UnsetType):
            if not levels.set(params.level, component):
                raise DeskbusError(OVERLOADED, "Too many components have a level of their own.")
        elif component is not None:
            levels.reset(component)
        else:
            raise DeskbusError(INVALID_PARAMS, "Name a level, or a component to reset.")
        log.info("logging.changed", component=component or "all", level=params.level or "reset")
        return told()

    return {"logging.get": get, "logging.set": change}
