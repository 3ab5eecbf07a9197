"""`secrets.*`."""

from collections.abc import Mapping

from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch import Handler
from deskbus.security.manager import SecurityManager
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


def handlers(vault: VaultService, security: SecurityManager) -> Mapping[str, Handler]:
    async def owner(call: Call) -> str:
        """Whose secrets: those of the app that the connection is, and no other's."""
        await security.require(call.identity, _PERMISSION)
        return call.identity.app

    async def set_secret(call: Call, params: SetSecretParams) -> Empty:
        await vault.set(await owner(call), params.name, params.value)
        return Empty()

    async def get(call: Call, params: SecretParams) -> SecretResult:
        return SecretResult(value=await vault.get(await owner(call), params.name))

    async def delete(call: Call, params: SecretParams) -> DeletedResult:
        return DeletedResult(deleted=await vault.delete(await owner(call), params.name))

    async def names(call: Call, _: NoParams) -> SecretList:
        return SecretList(names=await vault.names(await owner(call)))

    return {
        "secrets.set": set_secret,
        "secrets.get": get,
        "secrets.delete": delete,
        "secrets.list": names,
    }
