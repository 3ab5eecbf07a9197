"""`deskbus policy`: which policy stands, reading it again, and checking a file beforehand."""

from argparse import Namespace
from functools import partial

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import CommandError
from deskbus.config import ConfigError, load
from deskbus.security.policy.policy_file import PolicyError, PolicyFile
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.client import Client


def run(options: Namespace) -> int:
    if options.what == "check":
        return _check(options)
    return run_with_client(options, partial(_call, method=f"policy.{options.what}"))


async def _call(client: Client, *, method: str) -> None:
    output.emit(await client.call(method))


def _check(options: Namespace) -> int:
    try:
        catalogue = Catalogue(spec.entry() for spec in load(options.config).permissions)
        policy = PolicyFile(options.file, catalogue, required=True).read()
    except (ConfigError, PolicyError) as error:
        raise CommandError(str(error)) from None
    output.emit({"rules": len(policy.rules), "hash": policy.hash})
    return 0
