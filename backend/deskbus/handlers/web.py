"""`web.*`."""

from collections.abc import Callable, Mapping

from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.web.web_apps import WebApps
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.method import NoParams
from deskbus_protocol.ui import FrameDescriptor
from deskbus_protocol.web import (
    DescribeFrameParams,
    ForgetBrowsersParams,
    ForgetBrowsersResult,
    PairBrowserParams,
    PairBrowserResult,
    PairOriginParams,
    PairOriginResult,
    PolicyForParams,
    PolicyForResult,
    WebSitesResult,
)


def handlers(apps: WebApps | None, problem: Callable[[], str]) -> Mapping[str, Handler]:
    """`apps` is None where no gateway is configured; `problem` says why it does not listen."""

    def configured() -> WebApps:
        if apps is None:
            raise DeskbusError(
                UNAVAILABLE,
                "This backend has no web gateway.",
                action="Add [web] to the configuration.",
            )
        return apps

    def listening() -> WebApps:
        known = configured()
        if why := problem():
            raise DeskbusError(UNAVAILABLE, f"The web gateway does not listen: {why}.")
        return known

    async def sites(_: Call, __: NoParams) -> WebSitesResult:
        return WebSitesResult(sites=configured().sites_known(), problem=problem())

    async def pair(_: Call, params: PairBrowserParams) -> PairBrowserResult:
        return listening().pair(params.app)

    async def pair_origin(_: Call, params: PairOriginParams) -> PairOriginResult:
        return PairOriginResult(pairing=listening().pair_origin(params.app, params.origin))

    async def forget(_: Call, params: ForgetBrowsersParams) -> ForgetBrowsersResult:
        return ForgetBrowsersResult(browsers=configured().browsers.forget(params.app))

    async def policy_for(_: Call, params: PolicyForParams) -> PolicyForResult:
        return PolicyForResult(headers=configured().headers_for(params.app, params.origin))

    async def describe_frame(call: Call, params: DescribeFrameParams) -> FrameDescriptor:
        return configured().describe_frame(params.app, call.identity.app, params.capabilities)

    return {
        "web.sites": sites,
        "web.pair": pair,
        "web.pairOrigin": pair_origin,
        "web.forgetBrowsers": forget,
        "web.policyFor": policy_for,
        "web.describeFrame": describe_frame,
    }
