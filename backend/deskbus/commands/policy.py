"""`deskbus policy`: which policy stands, reading it again, and checking a file beforehand."""

import sys
from argparse import Namespace
from functools import partial

import msgspec

from deskbus.commands.connected import run_connected
from deskbus.config import ConfigError, load
from deskbus.security.policyfile import PolicyError, PolicyFile
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.client import Client


def run(options: Namespace) -> int:
    if options.what == "check":
        return _check(options)
    return run_connected(options.data_dir, partial(_call, method=f"policy.{options.what}"))


async def _call(client: Client, *, method: str) -> None:
    _print(await client.call(method))


def _check(options: Namespace) -> int:
    try:
        catalogue = Catalogue(spec.entry() for spec in load(options.config).permissions)
        policy = PolicyFile(options.file, catalogue, required=True).read()
    except (ConfigError, PolicyError) as error:
        sys.stderr.write(f"deskbus: {error}\n")
        return 1
    _print(msgspec.json.encode({"rules": len(policy.rules), "hash": policy.hash}))
    return 0


def _print(content: bytes) -> None:
    sys.stdout.write(bytes(content).decode() + "\n")
