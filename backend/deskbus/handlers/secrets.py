"""`secrets.*`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from deskbus.reliability.fair_queue import FairQueue
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.security.permission_service import PermissionService
from deskbus.vault.service import VaultService
from deskbus_protocol.method import Empty, NoParams
from deskbus_protocol.permissions import Grant
from deskbus_protocol.secrets import (
    OWN_SECRETS,
    DeletedResult,
    SecretList,
    SecretParams,
    SecretResult,
    SetSecretParams,
)

_PERMISSION = Grant("secrets", OWN_SECRETS)


def handlers(
    vault: VaultService, permissions: PermissionService, turns: FairQueue
) -> Mapping[str, Handler]:
    @asynccontextmanager
    async def turn(call: Call) -> AsyncIterator[str]:
        """The owner's turn: the app that the connection is, and no other."""
        permit = await permissions.require(call.identity, _PERMISSION)
        with permissions.admitting(permit):
            async with turns.take(call.identity.app):
                yield call.identity.app

    async def set_secret(call: Call, params: SetSecretParams) -> Empty:
        async with turn(call) as app:
            await vault.set(app, params.name, params.value)
            return Empty()

    async def get(call: Call, params: SecretParams) -> SecretResult:
        async with turn(call) as app:
            return SecretResult(value=await vault.get(app, params.name))

    async def delete(call: Call, params: SecretParams) -> DeletedResult:
        async with turn(call) as app:
            return DeletedResult(deleted=await vault.delete(app, params.name))

    async def names(call: Call, _: NoParams) -> SecretList:
        async with turn(call) as app:
            return SecretList(names=await vault.names(app))

    return {
        "secrets.set": set_secret,
        "secrets.get": get,
        "secrets.delete": delete,
        "secrets.list": names,
    }
