"""ShellPanel: a panel that the program around the shell has added; the shell says what is in it."""

from pathlib import Path

from msgspec import UNSET

from deskbus.ui.shell import Shell
from deskbus_protocol.panels import (
    ActInPanelParams,
    DescribePanelParams,
    PanelActionResult,
    PanelContent,
    PanelQuery,
)

ANSWER_WITHIN_S = 10.0


class ShellPanel:
    """Both methods raise `DeskbusError`: unavailable, timeout, or what the shell answers."""

    def __init__(self, shell: Shell, name: str, title: str) -> None:
        self.name = name
        self.title = title
        self._shell = shell

    async def describe(self, query: PanelQuery) -> PanelContent:
        params = DescribePanelParams(name=self.name, query=query)
        content: PanelContent = await self._shell.call(
            "ui.describePanel", params, PanelContent, timeout_s=ANSWER_WITHIN_S
        )
        return content

    async def act(self, action: str, row: str | None, path: Path | None) -> str:
        del path
        params = ActInPanelParams(name=self.name, action=action, row=UNSET if row is None else row)
        outcome: PanelActionResult = await self._shell.call(
            "ui.actInPanel", params, PanelActionResult, timeout_s=ANSWER_WITHIN_S
        )
        return outcome.message
