"""`web.*`."""

from collections.abc import Callable, Mapping

from msgspec import UnsetType

from deskbus.audit.violation_recorder import ViolationRecorder
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.web.limits import CODE_LIFE_S
from deskbus.web.origins.entrances import Entrances
from deskbus.web.pages import violation_reports
from deskbus.web.pages.shell_pages import ShellPages
from deskbus.web.web_apps import WebApps
from deskbus_protocol.errors import INVALID_PARAMS, UNAVAILABLE, DeskbusError
from deskbus_protocol.method import Empty, NoParams
from deskbus_protocol.ui import FrameDescriptor
from deskbus_protocol.web import (
    FILES_ORIGIN,
    DescribeFrameParams,
    ForgetBrowsersParams,
    ForgetBrowsersResult,
    PairBrowserParams,
    PairBrowserResult,
    PairOriginParams,
    PairOriginResult,
    PairToActParams,
    PairToActResult,
    PolicyForParams,
    PolicyForResult,
    ReportViolationParams,
    WebSitesResult,
)


def handlers(
    apps: WebApps | None, entrances: Entrances | None, problem: Callable[[], str]
) -> Mapping[str, Handler]:
    """`apps` and `entrances` are None where no gateway is configured.

    `problem` says why it does not listen.
    """

    def listening() -> WebApps:
        known = _configured(apps)
        if why := problem():
            raise DeskbusError(UNAVAILABLE, f"The web gateway does not listen: {why}.")
        return known

    async def sites(_: Call, __: NoParams) -> WebSitesResult:
        return WebSitesResult(sites=_configured(apps).sites_known(), problem=problem())

    async def pair(_: Call, params: PairBrowserParams) -> PairBrowserResult:
        return listening().pair(params.app)

    async def pair_to_act(_: Call, params: PairToActParams) -> PairToActResult:
        listening()
        assert entrances is not None
        name = "" if isinstance(params.browser, UnsetType) else params.browser
        browser, code = entrances.operators.new_code(name)
        return PairToActResult(browser=browser, code=code, expires_in=int(CODE_LIFE_S * 1000))

    async def pair_origin(_: Call, params: PairOriginParams) -> PairOriginResult:
        listening().check_outside(params.app, params.origin)
        assert entrances is not None
        admission = await entrances.apps.by_token(params.app, params.origin)
        return PairOriginResult(pairing=admission.secret)

    async def forget(_: Call, params: ForgetBrowsersParams) -> ForgetBrowsersResult:
        return ForgetBrowsersResult(browsers=_configured(apps).browsers.forget(params.app))

    async def describe_frame(call: Call, params: DescribeFrameParams) -> FrameDescriptor:
        host, capabilities = call.identity.app, params.capabilities
        return _configured(apps).describe_frame(params.app, host, capabilities)

    return {
        "web.sites": sites,
        "web.pair": pair,
        "web.pairToAct": pair_to_act,
        "web.pairOrigin": pair_origin,
        "web.forgetBrowsers": forget,
        "web.describeFrame": describe_frame,
    }


def shell_page_handlers(
    apps: WebApps | None, pages: ShellPages, violations: ViolationRecorder
) -> Mapping[str, Handler]:
    """The policies of pages that a shell serves itself."""

    async def policy_for(_: Call, params: PolicyForParams) -> PolicyForResult:
        if params.origin == FILES_ORIGIN:
            return PolicyForResult(headers=pages.headers_for(params.app))
        headers = _configured(apps).headers_for(params.app, params.origin)
        return PolicyForResult(headers=headers)

    async def report_violation(_: Call, params: ReportViolationParams) -> Empty:
        media_type = violation_reports.REPORT_URI_TYPE
        found = violation_reports.read(media_type, params.report.encode(), params.app)
        if found is None:
            raise DeskbusError(INVALID_PARAMS, "This is no report of a browser's.")
        for violation in found:
            await violations.record(violation)
        return Empty()

    return {"web.policyFor": policy_for, "web.reportViolation": report_violation}


def _configured(apps: WebApps | None) -> WebApps:
    """Raises `DeskbusError` (unavailable)."""
    if apps is None:
        raise DeskbusError(
            UNAVAILABLE,
            "This backend has no web gateway.",
            action="Add [web] to the configuration.",
        )
    return apps
