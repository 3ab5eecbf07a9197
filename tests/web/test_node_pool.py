"""Programs in Node, through the gateway."""

import json
from pathlib import Path

import anyio

from tests.web.desk import LIMIT_S, TICKER, WebDesk

SCRIPT = Path(__file__).with_name("pair.js")


async def test_the_clients_of_a_node_process_share_one_socket_and_have_names_of_their_own(
    desk: WebDesk,
) -> None:
    tickets = [await desk.shell.ticket(TICKER, name) for name in ("one", "other")]
    command = ["node", str(SCRIPT), desk.origins[TICKER], TICKER, *tickets]
    with anyio.fail_after(LIMIT_S):
        ran = await anyio.run_process(command, stderr=None)
    told = json.loads(ran.stdout)
    assert (told["sender"], told["receiver"]) == ("one", "other")
    assert told["characters"] == 200_000
    assert told["alone"] >= 1
    assert told["sockets"] == 1
