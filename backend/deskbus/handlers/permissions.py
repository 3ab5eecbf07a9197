"""`permissions.*`."""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import UnsetType

from deskbus.languages.language import english
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.security.decisions.permission_settings import PermissionSettings
from deskbus.security.permission_service import PermissionService
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import PERMISSION_DENIED, DeskbusError
from deskbus_protocol.method import Empty, NoParams
from deskbus_protocol.permissions import (
    AppParams,
    AskForParams,
    AskParams,
    CatalogueResult,
    ExplainParams,
    Grant,
    GrantParams,
    GrantsResult,
    PermissionExplanation,
    PermissionList,
    PermissionResult,
    QueryPermissionParams,
    ResetEmbargoParams,
    ResetEmbargoResult,
    RevokeParams,
    RevokeResult,
)

Explain = Callable[[str, Grant], Awaitable[PermissionExplanation]]


def handlers(
    permissions: PermissionService, settings: PermissionSettings, explain: Explain
) -> Mapping[str, Handler]:
    async def request(call: Call, params: AskParams) -> PermissionResult:
        wanted = Grant(params.permission, params.scope)
        allowed = await permissions.request(call.identity, wanted, _given(params.reason))
        return PermissionResult(state="granted" if allowed else "denied")

    async def request_for(_: Call, params: AskForParams) -> PermissionResult:
        identity = ClientId(params.app, params.client)
        wanted = Grant(params.permission, params.scope)
        try:
            await permissions.require(
                identity, wanted, _given(params.reason), _given(params.origin)
            )
        except DeskbusError as error:
            if error.kind is not PERMISSION_DENIED:
                raise
            return PermissionResult(state="denied")
        return PermissionResult(state="granted")

    async def query(call: Call, params: QueryPermissionParams) -> PermissionResult:
        wanted = Grant(params.permission, params.scope)
        return PermissionResult(state=await permissions.state(call.identity, wanted))

    async def catalogue(_: Call, __: NoParams) -> CatalogueResult:
        return CatalogueResult(permissions=settings.offered())

    async def grants_of(_: Call, params: AppParams) -> GrantsResult:
        return settings.grants_of(params.app)

    return {
        "permissions.request": request,
        "permissions.requestFor": request_for,
        "permissions.query": query,
        "permissions.catalogue": catalogue,
        "permissions.grantsOf": grants_of,
        **_for_operators(settings, explain),
    }


def _for_operators(settings: PermissionSettings, explain: Explain) -> Mapping[str, Handler]:
    async def list_all(_: Call, __: NoParams) -> PermissionList:
        return settings.records(english())

    async def grant(_: Call, params: GrantParams) -> Empty:
        await settings.grant(params)
        return Empty()

    async def revoke(_: Call, params: RevokeParams) -> RevokeResult:
        revoked = await settings.revoke(params.app, _given(params.permission), _given(params.scope))
        return RevokeResult(revoked=revoked)

    async def reset_embargo(_: Call, params: ResetEmbargoParams) -> ResetEmbargoResult:
        reset = await settings.reset_embargo(params.app, _given(params.permission))
        return ResetEmbargoResult(reset=reset)

    async def explained(_: Call, params: ExplainParams) -> PermissionExplanation:
        return await explain(params.app, Grant(params.permission, params.scope))

    return {
        "permissions.explain": explained,
        "permissions.list": list_all,
        "permissions.grant": grant,
        "permissions.revoke": revoke,
        "permissions.resetEmbargo": reset_embargo,
    }


def _given(value: str | UnsetType) -> str | None:
    return None if isinstance(value, UnsetType) else value
