"""`deskbus log-level`: how much a running backend writes into its log."""

from argparse import Namespace
from functools import partial

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import MisuseError
from deskbus.observability.logs.log_levels import LEVELS
from deskbus_protocol.client import Client
from deskbus_protocol.logging import LoggingResult

RESET = "reset"


def run(options: Namespace) -> int:
    """Raises `MisuseError` for an unknown level."""
    words = list(options.words)
    if not words:
        return run_with_client(options, partial(_call, method="logging.get", params={}))
    level = words.pop()
    if level not in LEVELS and not (level == RESET and words):
        raise MisuseError(f"{level} is no level", f"Levels are {', '.join(LEVELS)}.")
    if len(words) > 1:
        raise MisuseError("name one component, and a level")
    params = {} if level == RESET else {"level": level}
    if words:
        params["component"] = words[0]
    return run_with_client(options, partial(_call, method="logging.set", params=params))


async def _call(client: Client, *, method: str, params: dict[str, str]) -> None:
    found: LoggingResult = await client.call(method, params, result=LoggingResult)
    rows = [["COMPONENT", "LEVEL"], ["all others", found.level]]
    output.emit(found, [*rows, *([name, level] for name, level in found.components.items())])
