"""`secrets.*`."""

from collections.abc import Mapping

from deskbus.reliability.turns import FairTurns
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch import Handler
from deskbus.security.permissions import PermissionService
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
    vault: VaultService, permissions: PermissionService, turns: FairTurns
) -> Mapping[str, Handler]:
    async def owner(call: Call) -> str:
        """Whose secrets: those of the app that the connection is, and no other's."""
        await permissions.require(call.identity, _PERMISSION)
        return call.identity.app

    async def set_secret(call: Call, params: SetSecretParams) -> Empty:
        app = await owner(call)
        async with turns.take(app):
            await vault.set(app, params.name, params.value)
        return Empty()

    async def get(call: Call, params: SecretParams) -> SecretResult:
        app = await owner(call)
        async with turns.take(app):
            return SecretResult(value=await vault.get(app, params.name))

    async def delete(call: Call, params: SecretParams) -> DeletedResult:
        app = await owner(call)
        async with turns.take(app):
            return DeletedResult(deleted=await vault.delete(app, params.name))

    async def names(call: Call, _: NoParams) -> SecretList:
        app = await owner(call)
        async with turns.take(app):
            return SecretList(names=await vault.names(app))

    return {
        "secrets.set": set_secret,
        "secrets.get": get,
        "secrets.delete": delete,
        "secrets.list": names,
    }
