"""A machine's credentials for a NATS server."""

import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import UnsetType
from nats.aio.client import RawCredentials

from deskbus.config import FederationConfig
from deskbus.federation.nats_port import NatsPortError
from deskbus_protocol.errors import DeskbusError

Reveal = Callable[[str], Awaitable[str]]
"""Resolves a value of the configuration that names a secret; may raise
`DeskbusError`."""


async def login(config: FederationConfig, folder: Path, reveal: Reveal) -> dict[str, object]:
    """Options for nats-py; raises `NatsPortError` where a secret or a file can't be had now.

    It is called for each connection, since a secret may have changed and is not kept.
    """
    options: dict[str, object] = {}
    try:
        for name in ("user", "password", "token"):
            value: str | UnsetType = getattr(config, name)
            if not isinstance(value, UnsetType):
                options[name] = await reveal(value)
        if not isinstance(config.credentials, UnsetType):
            options["user_credentials"] = RawCredentials(await reveal(config.credentials))
        elif not isinstance(config.credentials_file, UnsetType):
            options["user_credentials"] = _readable(folder / config.credentials_file)
        if isinstance(config.tls_ca, str) or isinstance(config.tls_cert, str):
            options["tls"] = await _tls(config, folder, reveal)
    except DeskbusError as error:
        raise NatsPortError(error.message) from error
    return options


async def _tls(config: FederationConfig, folder: Path, reveal: Reveal) -> ssl.SSLContext:
    password = None
    if not isinstance(config.tls_key_password, UnsetType):
        password = await reveal(config.tls_key_password)
    authority = None if isinstance(config.tls_ca, UnsetType) else folder / config.tls_ca
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise NatsPortError("the file of tls_ca can't be used") from error
    if not isinstance(config.tls_cert, UnsetType):
        key = None if isinstance(config.tls_key, UnsetType) else folder / config.tls_key
        try:
            # Without a password a sealed key would be asked for on the terminal.
            context.load_cert_chain(folder / config.tls_cert, key, password or "")
        except OSError as error:
            raise NatsPortError("the files of tls_cert and tls_key can't be used") from error
    return context


def _readable(file: Path) -> str:
    """Checks a file early: nats-py opens it only once the server asks for credentials."""
    if not os.access(file, os.R_OK):
        raise NatsPortError("the file of credentials_file can't be read")
    return str(file)
