"""A stock client of the other framing works against the real backend."""

import json
from pathlib import Path

import anyio

from tests.integration.shell import start_shell

SCRIPT = Path(__file__).parent / "clients/vscode.js"


async def test_a_stock_vscode_jsonrpc_client_opens_publishes_and_receives(tmp_path: Path) -> None:
    async with start_shell(tmp_path / "data", consent="allow") as shell:
        ticket = await shell.ticket("desk.editor")
        with anyio.fail_after(30):
            done = await anyio.run_process(
                ["node", str(SCRIPT), shell.hello.pipe, ticket, "desk.editor"]
            )
    told = json.loads(done.stdout)
    assert told["opened"]["app"] == "desk.editor"
    assert told["published"]["seq"] == 1
    assert told["message"]["payload"] == {"text": "Grüße\n"}
    assert told["message"]["sender"] == {"app": "desk.editor", "client": "main"}
    assert told["refused"]["code"] == -32019
    assert told["refused"]["action"]
