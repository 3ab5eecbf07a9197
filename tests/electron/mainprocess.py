"""The shell in a real Electron's main process, called as the embedding app calls it."""

import json
from typing import Any

from demo.electron import ElectronSession

SHELL = "process.mainModule.exports.shell"


async def shell_call(session: ElectronSession, method: str, **params: object) -> Any:
    """The backend's answers to the shell."""
    async with session.main_process() as main:
        return await main.evaluate(f"{SHELL}.call({json.dumps(method)}, {json.dumps(params)})")


async def decide(
    session: ElectronSession, app: str, permission: str, scope: str, *, allowed: bool = True
) -> None:
    """The person decides for an app, without a prompt."""
    await shell_call(
        session, "permissions.grant", app=app, permission=permission, scope=scope, allowed=allowed
    )


async def in_main(session: ElectronSession, expression: str) -> Any:
    """The value of an expression in the main process; `shell` and `electron` are in scope."""
    async with session.main_process() as main:
        scope = f"const shell = {SHELL}; const electron = require('electron');"
        return await main.evaluate(f"(async () => {{ {scope} return {expression}; }})()")
