"""`deskbus federation`: looks after the connection to other machines."""

import sys
from argparse import Namespace

import msgspec

from deskbus.commands.backend.developer_session import run_with_client
from deskbus_protocol.client import Client
from deskbus_protocol.federation import FederationResult


def run(options: Namespace) -> int:
    """Exits with 1 where the connection fails."""
    well: list[bool] = []

    async def reconnect(client: Client) -> None:
        found = await client.call("federation.reconnect", result=FederationResult)
        well.append(found.health.status == "ok")
        sys.stdout.write(msgspec.json.encode(found.health).decode() + "\n")

    return run_with_client(options, reconnect) or (0 if all(well) else 1)
