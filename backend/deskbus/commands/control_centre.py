"""`deskbus control-centre`: opens the control centre in the shell of the running backend."""

from argparse import Namespace

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus_protocol.client import Client
from deskbus_protocol.method import Empty


def run(options: Namespace) -> int:
    async def open_centre(client: Client) -> None:
        await client.call("control.open", {"page": options.page}, result=Empty)
        output.tell("The control centre is open.")

    return run_with_client(options, open_centre)
