"""Gateway: the HTTP side of the web gateway, as an ASGI application.

Every request passes the same checks in the same order: its size, its Host, where it comes from, how
often. Only then is a route asked. Every response has the security headers.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

import anyio
import anyio.to_thread
import msgspec
import structlog
from msgspec import Meta
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deskbus.reliability.token_bucket import TokenBucket
from deskbus.web import openapi
from deskbus.web.limits import (
    MAX_FORM_BYTES,
    MAX_PAGE_NAME,
    MAX_READS,
    MAX_REPORT_BYTES,
    MAX_RPC_BYTES,
    RATE_BURST_S,
    REPORTS_PER_S,
    REQUESTS_PER_S,
    TICKETS_PER_S,
)
from deskbus.web.origins.browser_sessions import (
    COOKIE,
    Browser,
    BrowserAdmission,
    BrowserEnd,
    BrowserSessions,
)
from deskbus.web.origins.entrances import Entrances
from deskbus.web.origins.request_origin import SAFE_METHODS, Source, is_foreign_embedding, source_of
from deskbus.web.origins.sites import Site, Sites
from deskbus.web.pages import app_files, violation_reports
from deskbus.web.pages.script_nonces import with_nonces
from deskbus.web.pages.security_headers import EVERYWHERE, REPORT_PATH, PagePolicy, new_nonce
from deskbus.web.pages.violation_reports import shown
from deskbus.web.rpc_exchange import RpcExchange
from deskbus.web.server.http_connection import SCRAPES, is_within_limits
from deskbus.web.web_apps import OWN_APPS
from deskbus.web.web_state import WebState
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    NOT_FOUND,
    PERMISSION_DENIED,
    RATE_LIMITED,
    SESSION_REQUIRED,
    TOO_LARGE,
    DeskbusError,
)
from deskbus_protocol.events import CspViolation, CsrfViolation, OriginViolation
from deskbus_protocol.health import Status
from deskbus_protocol.session import ClientName
from deskbus_protocol.wire import rpc

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
METRICS_PATH = "/metrics"
SDK_PATH = "/deskbus.js"
WORKER_PATH = "/deskbus-worker.js"
STEP_UP_PATH = "/step-up"
"""Where a browser of the control centre shows the code by which it may act."""

ASSETS = Path(__file__).with_name("assets")
CSRF_HEADER = "x-deskbus-csrf"
PROOF_HEADER = "x-deskbus-proof"
PAIR_ASK_PATH = "/pair/ask"
PAIR_ANSWER_PATH = "/pair/answer"
"""Where a page has a person asked to let it in, and where it waits for the word."""

CORS_PATHS = frozenset({"/rpc", "/ticket", PAIR_ASK_PATH, PAIR_ANSWER_PATH})
"""Paths that pages from elsewhere may ask, of the app that lists their origin."""

PAYS_LATER = frozenset({"/pair", "/metrics"})
"""Paths of which only wrong codes and tokens count: nobody keeps out whoever has a good one."""

STRANGER = ""
DEVELOPER_PAYS = "developer"
"""The payers of requests that no browser pays for: all strangers of a site share one budget."""

PREFLIGHT_LIFE_S = 600
DEVELOPER = "deskbus.developer"

STATUS_OF_CATEGORY = {
    "protocol": 400,
    "permission": 403,
    "not_found": 404,
    "conflict": 409,
    "limit": 429,
    "unavailable": 503,
    "timeout": 504,
    "degraded": 503,
    "internal": 500,
}

log = structlog.get_logger()

WebViolation = OriginViolation | CsrfViolation | CspViolation


class BackendPort(Protocol):
    """The rest of the backend, as far as the gateway asks it."""

    def mint(self, identity: ClientId) -> str:
        """A one-time ticket."""

    async def check_app(self, app: str) -> None:
        """Raises `DeskbusError` (permission_denied) for an app that is not what it says it is."""

    async def record(self, violation: WebViolation) -> None:
        """On disk when it returns, or counted with others like it."""

    def is_developer(self, token: str) -> bool:
        """Whether this is the developer ticket."""

    def status(self) -> Status:
        """The worst of the components' states."""

    async def metrics(self, token: str | None, accept: str) -> tuple[str, bytes] | None:
        """The content type and the text; None where the token is wrong. A scraper that the
        configuration names needs none.

        Raises `DeskbusError` (not_found) where nobody may scrape.
        """


class RefusedError(Exception):
    """The answer is no, as an HTTP response."""

    def __init__(self, status: int, error: DeskbusError, headers: Mapping[str, str] = {}) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = headers


class CheckedRequest(NamedTuple):
    """A request that has passed the checks. `site` is None on the gateway's own hosts."""

    request: Request
    site: Site | None
    source: Source
    payer: str = STRANGER

    @property
    def origin(self) -> str:
        """The origin of the page that asks, where one does."""
        if self.source == "outside":
            return self.request.headers["origin"]
        return "" if self.site is None else self.site.origin

    @property
    def app(self) -> str:
        return "" if self.site is None else self.site.app

    @property
    def scrapes(self) -> bool:
        """Whether another user of this machine asks, who may read the metrics and nothing else."""
        return SCRAPES in self.request.scope["state"]

    def on_site(self) -> Site:
        """Raises `RefusedError` where no app is."""
        if self.site is None:
            raise not_found()
        return self.site


class TicketRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`client` is the name that this page had before."""

    client: ClientName = ""


class PairAskRequest(msgspec.Struct, forbid_unknown_fields=True):
    """There is nothing to say: the request's own origin is let in, for the site's app."""


class PairAskAnswer(msgspec.Struct):
    """The page shows `number`, and comes for the answer with `request`."""

    request: str
    number: str


class PairAnswerRequest(msgspec.Struct, forbid_unknown_fields=True):
    request: Annotated[str, Meta(max_length=128)]


class PairAnswer(msgspec.Struct, omit_defaults=True):
    """`proof` is for pages of the app's own site, which get a cookie too; `pairing` for others."""

    waits: bool
    proof: str = ""
    pairing: str = ""


class StepUpRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Without a code it is one that is not good, which only a browser that was let in is told."""

    code: Annotated[str, Meta(max_length=128)] = ""


class StepUpAnswer(msgspec.Struct, rename="camel"):
    """The browser may act for `expires_in` milliseconds."""

    expires_in: int
    csrf: str


class TicketAnswer(msgspec.Struct, rename="camel"):
    ticket: str
    app: str
    client: str
    csrf: str


class Gateway:
    """`closed` are folders of which no file is served; `policy_of` makes a page's policy."""

    def __init__(
        self,
        backend: BackendPort,
        *,
        sites: Sites,
        browsers: BrowserSessions,
        entrances: Entrances,
        exchange: RpcExchange,
        policy_of: Callable[[Site], PagePolicy],
        home_of: Callable[[Site], str],
        closed: tuple[Path, ...],
        state: WebState,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._backend = backend
        self._sites = sites
        self._browsers = browsers
        self._entrances = entrances
        self._exchange = exchange
        self._policy_of = policy_of
        self._home_of = home_of
        self._closed = closed
        self._state = state
        self._monotonic_s = monotonic_s
        self._reads = anyio.CapacityLimiter(MAX_READS)
        self._buckets: dict[tuple[str, str, str], TokenBucket] = {}
        browsers.ended.add(self._forget_payer)
        self._routes: Mapping[tuple[str, str], Callable[[CheckedRequest], Awaitable[Response]]] = {
            ("GET", "/health"): self._health,
            ("GET", METRICS_PATH): self._metrics,
            ("GET", "/openapi.json"): self._openapi,
            ("GET", SDK_PATH): self._asset,
            ("GET", WORKER_PATH): self._asset,
            ("POST", "/rpc"): self._rpc,
            ("POST", "/ticket"): self._ticket,
            ("POST", "/pair"): self._pair,
            ("POST", PAIR_ASK_PATH): self._pair_ask,
            ("POST", PAIR_ANSWER_PATH): self._pair_answer,
            ("POST", STEP_UP_PATH): self._step_up,
            ("POST", REPORT_PATH): self._report,
        }
        self._paths = {path for _, path in self._routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self._state.requests += 1
        try:
            response = await self._answer(request)
        except RefusedError as refusal:
            self._state.refused += 1
            response = _failure(refusal.status, refusal.error, refusal.headers)
        except DeskbusError as error:
            response = _failure(STATUS_OF_CATEGORY[error.kind.category], error)
        except ClientDisconnect:
            return
        except Exception:  # no text of it leaves, and no other request is lost
            log.exception("web.request_failed")
            response = _failure(500, DeskbusError(INTERNAL_ERROR))
        for name, value in EVERYWHERE.items():
            response.headers.setdefault(name, value)
        self._state.statuses[response.status_code] += 1
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        asked = await self._check(request)
        path, method = request.scope["path"], request.method
        if asked.scrapes and path != METRICS_PATH:
            raise refused(403, PERMISSION_DENIED, "Of this, only the metrics are for scrapers.")
        if method == "OPTIONS":
            return _preflight(asked, path)
        if path not in self._paths:
            if method not in ("GET", "HEAD"):
                raise refused(405, INVALID_PARAMS, "This is not done here.", allow="GET, HEAD")
            return await self._file(asked)
        route = self._routes.get(("GET" if method == "HEAD" else method, path))
        if route is None:
            allowed = ", ".join(each for each, known in self._routes if known == path)
            raise refused(405, INVALID_PARAMS, "This is not done here.", allow=allowed)
        try:
            response = await route(asked)
        except RefusedError as refusal:
            # A listed origin may read why it was refused.
            self._state.refused += 1
            response = _failure(refusal.status, refusal.error, refusal.headers)
        except DeskbusError as error:
            response = _failure(STATUS_OF_CATEGORY[error.kind.category], error)
        if path in CORS_PATHS:
            response.headers["vary"] = "Origin"
            if asked.source == "outside":
                response.headers["access-control-allow-origin"] = asked.origin
        return response

    async def _check(self, request: Request) -> CheckedRequest:
        """Raises `RefusedError`."""
        scope = request.scope
        if not is_within_limits(scope):
            raise refused(431, TOO_LARGE, "The request has too many or too long headers.")
        authority = request.headers.get("host", "")
        path = shown(scope["path"])
        if not self._sites.is_ours(authority):
            await self._backend.record(
                OriginViolation(app="", origin=shown(f"http://{authority}"), path=path)
            )
            raise refused(421, NOT_FOUND, "No such host is here.")
        site = self._sites.at(authority)
        app = "" if site is None else site.app
        refusal = scope["state"].get("refusal")
        if refusal is not None:
            if refusal.origin:
                violation = OriginViolation(app=app, origin=shown(refusal.origin), path=path)
                await self._backend.record(violation)
            raise refused(refusal.status, PERMISSION_DENIED, refusal.reason)
        if not scope["path"].startswith("/"):
            raise refused(400, INVALID_PARAMS, "The request's target is a path.")
        own = f"http://{authority}"
        outside = frozenset[str]() if site is None else site.outside
        source = source_of(request.headers, own, outside)
        await self._check_source(request, source, site, path)
        asked = CheckedRequest(request, site, source)
        asked = asked._replace(payer=self._payer_of(asked))
        if scope["path"] not in PAYS_LATER:
            self._spend(asked, "requests", REQUESTS_PER_S)
        return asked

    def _payer_of(self, asked: CheckedRequest) -> str:
        """The payer of a request: a browser that was let in has its own budget, which no stranger
        can spend.
        """
        if asked.source == "foreign":
            return STRANGER
        bearer = _bearer(asked.request)
        if asked.site is None:
            return DEVELOPER_PAYS if bearer and self._backend.is_developer(bearer) else STRANGER
        browser = self._with_cookie(asked)
        if browser is None and bearer:
            browser = self._browsers.find(bearer, asked.site.app, asked.origin)
        return STRANGER if browser is None else browser.name

    async def _check_source(
        self, request: Request, source: Source, site: Site | None, path: str
    ) -> None:
        """Raises `RefusedError` for what pages of others may not do."""
        app = "" if site is None else site.app
        claimed = shown(request.headers.get("origin", "") or request.headers.get("referer", ""))
        if request.method in SAFE_METHODS:
            embeds = is_foreign_embedding(request.headers) and source == "foreign"
            if embeds and not (site is not None and site.spec.framed_by):
                await self._backend.record(OriginViolation(app=app, origin=claimed, path=path))
                raise refused(403, PERMISSION_DENIED, "Other sites may not embed this.")
            return
        # The code in the form proves more than a browser's word, and comes out of a file.
        if source == "foreign" and path != "/pair":
            await self._backend.record(CsrfViolation(app=app, origin=claimed, path=path))
            raise refused(403, PERMISSION_DENIED, "Pages of this origin may not do this.")
        if source == "outside" and path not in CORS_PATHS:
            await self._backend.record(OriginViolation(app=app, origin=claimed, path=path))
            raise refused(403, PERMISSION_DENIED, "Pages of this origin may not do this.")

    def _spend(self, asked: CheckedRequest, kind: str, per_s: float) -> None:
        """Raises `RefusedError` where there are more than so many a second of one payer."""
        now_s = self._monotonic_s()
        key = (asked.app, asked.payer, kind)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(per_s, per_s * RATE_BURST_S, now_s)
        if not bucket.take(1, now_s):
            raise refused(429, RATE_LIMITED, "Too many requests.", **{"retry-after": "1"})

    def _forget_payer(self, end: BrowserEnd) -> None:
        browser = end.browser
        gone = [key for key in self._buckets if key[:2] == (browser.app, browser.name)]
        for key in gone:
            del self._buckets[key]

    async def _health(self, _: CheckedRequest) -> Response:
        status = self._backend.status()
        return _json({"status": status}, 503 if status == "failed" else 200)

    async def _metrics(self, asked: CheckedRequest) -> Response:
        if asked.site is not None:
            raise not_found()
        accept = asked.request.headers.get("accept", "")
        token = None if asked.scrapes else _bearer(asked.request)
        found = await self._backend.metrics(token, accept)
        if found is None:
            self._spend(asked, "wrong tokens", TICKETS_PER_S)
            words = "Scrapers come with the token of [metrics]."
            told = {"www-authenticate": 'Bearer realm="deskbus metrics"'}
            raise refused(401, SESSION_REQUIRED, words, action="Send it as a bearer token.", **told)
        content_type, body = found
        return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})

    async def _openapi(self, _: CheckedRequest) -> Response:
        return _json(openapi.document())

    async def _asset(self, asked: CheckedRequest) -> Response:
        asked.on_site()
        name = asked.request.scope["path"].removeprefix("/")
        content = await anyio.to_thread.run_sync((ASSETS / name).read_bytes, limiter=self._reads)
        headers = {"cache-control": "no-cache"}
        if asked.on_site().spec.framed_by:
            headers["cross-origin-resource-policy"] = "cross-origin"
        if asked.request.scope["path"] == WORKER_PATH:
            # A worker has the policy of its own response: this one reaches the bus, and no more.
            headers["content-security-policy"] = (
                f"default-src 'none'; connect-src 'self' {asked.origin.replace('http', 'ws', 1)}"
            )
        return Response(content, media_type=app_files.TYPES[".js"], headers=headers)

    async def _file(self, asked: CheckedRequest) -> Response:
        site = asked.on_site()
        request = asked.request
        path = request.scope["path"]
        if path == "/":
            return Response(status_code=307, headers={"location": self._home_of(site)})
        try:
            file = await anyio.to_thread.run_sync(
                app_files.read, site, path, self._closed, limiter=self._reads
            )
        except app_files.NoSuchFileError:
            raise not_found() from None
        if file.is_page:
            return await self._page(asked, site, file)
        headers = {"cache-control": "no-cache", "etag": file.tag}
        if site.spec.framed_by:
            headers["cross-origin-resource-policy"] = "cross-origin"
        if file.media_type == app_files.TYPES[".svg"]:
            headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.media_type, headers=headers)

    async def _page(self, asked: CheckedRequest, site: Site, file: app_files.AppFile) -> Response:
        is_own = site.app in OWN_APPS
        if not is_own:
            await self._backend.check_app(site.app)
        try:
            text = file.content.decode()
        except UnicodeDecodeError:
            raise not_found() from None
        nonce = new_nonce()
        policy = self._policy_of(site)
        metas = [("app", site.app), ("hosts", " ".join(policy.framed_by))]
        browser = self._with_cookie(asked)
        if browser is not None and asked.source != "foreign":
            metas.append(("csrf", self._browsers.csrf_token(browser)))
            metas.append(("client", browser.new_client()))
        elif browser is None and site.app != CONTROL_APP:
            words = self._entrances.pairings.invitation(site)
            metas.append(("invitation", msgspec.json.encode(words).decode() if words else ""))
        first = "".join(
            f'<meta name="deskbus-{name}" content="{_attribute(text)}">' for name, text in metas
        )
        if not is_own:
            first += f'<script nonce="{nonce}" src="{SDK_PATH}"></script>'
        allowed = {site.origin, *site.spec.scripts}
        address = f"{site.origin}{asked.request.scope['path']}"
        page = with_nonces(text, nonce, address, allowed.__contains__, first)
        headers = {**policy.headers(nonce), "vary": "Cookie"}
        return Response(page, media_type=app_files.PAGE, headers=headers)

    async def _pair(self, asked: CheckedRequest) -> Response:
        site = asked.on_site()
        fields = await _form(asked.request)
        admission = await self._admit(site, fields.get("code", ""))
        if admission is None:
            # Good codes cost nothing: nobody guesses one, and nobody can lock a person out.
            self._spend(asked, "wrong codes", TICKETS_PER_S)
            action = f"Run: {way_in_to(site.app)}"
            raise refused(403, PERMISSION_DENIED, BAD_CODE, action=action)
        nonce = new_nonce()
        home = self._home_of(site)
        if shown_first := fields.get("page", "")[:MAX_PAGE_NAME]:
            home += f"#{quote(shown_first, safe='/:')}"
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>deskbus</title>'
            f'<meta name="deskbus-proof" content="{admission.proof}">'
            f'<meta name="deskbus-home" content="{_attribute(home)}">'
            f'<script nonce="{nonce}" src="{SDK_PATH}"></script><p>One moment …</p></html>'
        )
        response = Response(
            page, media_type=app_files.PAGE, headers=self._policy_of(site).headers(nonce)
        )
        _keep(response, admission)
        return response

    async def _admit(self, site: Site, code: str) -> BrowserAdmission | None:
        """Raises `DeskbusError` (audit_unavailable): whoever enters is on record first."""
        if site.app == CONTROL_APP:
            return await self._entrances.operators.enter(code, site.origin)
        return await self._entrances.apps.by_code(code, site.app, site.origin)

    async def _pair_ask(self, asked: CheckedRequest) -> Response:
        site = self._askable(asked)
        await _read(asked.request, PairAskRequest)
        if site.app not in OWN_APPS:
            await self._backend.check_app(site.app)
        opened = await self._entrances.pairings.open(site, asked.origin)
        return _json(PairAskAnswer(opened.secret, opened.number))

    async def _pair_answer(self, asked: CheckedRequest) -> Response:
        site = self._askable(asked)
        wish = await _read(asked.request, PairAnswerRequest)
        outcome = self._entrances.pairings.outcome(wish.request, site.app, asked.origin)
        admission = await _while_connected(asked.request, outcome)
        if admission is None:
            return _json(PairAnswer(waits=True))
        if asked.source == "outside":
            return _json(PairAnswer(waits=False, pairing=admission.secret))
        response = _json(PairAnswer(waits=False, proof=admission.proof))
        _keep(response, admission)
        return response

    def _askable(self, asked: CheckedRequest) -> Site:
        """The site on whose behalf a person may be asked; raises `RefusedError`.

        A browser always sends the origin of such a request, so one without comes from no page.
        """
        site = asked.on_site()
        if site.app == CONTROL_APP:
            raise refused(
                403, PERMISSION_DENIED, ONLY_BY_CODE, action=f"Run: {way_in_to(site.app)}"
            )
        if asked.request.headers.get("origin") != asked.origin:
            raise refused(403, PERMISSION_DENIED, "Only a page can ask for this.")
        return site

    async def _step_up(self, asked: CheckedRequest) -> Response:
        site = asked.on_site()
        if site.app != CONTROL_APP:
            raise not_found()
        code = (await _read(asked.request, StepUpRequest)).code
        browser = await self._browser(asked, site)
        self._spend(asked, "step-ups", TICKETS_PER_S)
        life_s = await self._entrances.operators.step_up(browser, code)
        if life_s is None:
            action = f"Run: deskbus control-centre --act {browser.name}"
            raise refused(403, PERMISSION_DENIED, BAD_CODE, action=action)
        answer = StepUpAnswer(int(life_s * 1000), self._browsers.csrf_token(browser))
        return _json(msgspec.to_builtins(answer))

    async def _ticket(self, asked: CheckedRequest) -> Response:
        site = asked.on_site()
        wish = await _read(asked.request, TicketRequest)
        browser = await self._browser(asked, site)
        self._spend(asked, "tickets", TICKETS_PER_S)
        client = wish.client if browser.is_own_client(wish.client) else browser.new_client()
        ticket = self._backend.mint(ClientId(site.app, client))
        answer = TicketAnswer(ticket, site.app, client, self._browsers.csrf_token(browser))
        return _json(msgspec.to_builtins(answer))

    async def _rpc(self, asked: CheckedRequest) -> Response:
        body = await _body(asked.request, MAX_RPC_BYTES, JSON)
        bearer = _bearer(asked.request)
        if asked.site is None:
            if asked.source != "program" or not bearer:
                raise _unauthorized()
            app, ticket = DEVELOPER, bearer
        else:
            browser = await self._browser(asked, asked.site)
            app = asked.site.app
            ticket = self._backend.mint(ClientId(app, browser.new_client()))
        only_app = asked.site.app if asked.site else DEVELOPER
        try:
            answer = await self._exchange.run(body, app, ticket, only_app)
        except DeskbusError as error:
            if error.kind.category == "permission":
                raise _unauthorized() from None
            return Response(rpc.failure(rpc.NULL_ID, error), media_type=JSON)
        if answer is None:
            return Response(status_code=204)
        return Response(answer, media_type=JSON)

    async def _report(self, asked: CheckedRequest) -> Response:
        site = asked.on_site()
        self._spend(asked, "reports", REPORTS_PER_S)
        media_type = _media_type(asked.request)
        body = await _body(
            asked.request,
            MAX_REPORT_BYTES,
            violation_reports.REPORT_URI_TYPE,
            violation_reports.REPORT_TO_TYPE,
        )
        known = asked.payer != STRANGER
        # Reports of unauthenticated browsers have a budget of their own in the audit log.
        violations = violation_reports.read(media_type, body, site.app if known else "")
        if violations is None:
            raise refused(400, INVALID_PARAMS, "This is no report of a browser's.")
        for violation in violations:
            await self._backend.record(violation)
        return Response(status_code=204)

    def _with_cookie(self, asked: CheckedRequest) -> Browser | None:
        """The browser that a cookie belongs to; the cookie alone authorises nothing."""
        secret = asked.request.cookies.get(COOKIE, "")
        if not secret or asked.site is None:
            return None
        return self._browsers.find(secret, asked.site.app, asked.site.origin)

    async def _browser(self, asked: CheckedRequest, site: Site) -> Browser:
        """The browser that asks, proven; raises `RefusedError`."""
        headers = asked.request.headers
        if asked.source == "outside":
            browser = self._browsers.find(_bearer(asked.request), site.app, asked.origin)
            if browser is None:
                raise _unauthorized(site.app)
            return browser
        browser = self._with_cookie(asked)
        if browser is None:
            raise _unauthorized(site.app)
        proven = browser.is_proof(headers.get(PROOF_HEADER, ""))
        if not proven or not self._browsers.is_csrf_token(browser, headers.get(CSRF_HEADER, "")):
            path = asked.request.scope["path"]
            await self._backend.record(CsrfViolation(app=site.app, origin=asked.origin, path=path))
            raise refused(403, PERMISSION_DENIED, "The page's token or proof is missing or stale.")
        return browser


def refused(
    status: int,
    kind: Any,
    words: str,
    *,
    action: str | None = None,
    **headers: str,
) -> RefusedError:
    return RefusedError(status, DeskbusError(kind, words, action=action), headers)


BAD_CODE = "This code is unknown, used, older than a minute, or meant for something else."


ONLY_BY_CODE = "The control centre is entered by a code alone."


def way_in_to(app: str) -> str:
    """The command that lets a browser in."""
    return "deskbus control-centre --browser" if app == CONTROL_APP else f"deskbus open {app}"


def not_found() -> RefusedError:
    return refused(404, NOT_FOUND, "There is nothing here.", action="Look at the address.")


def _unauthorized(app: str = "APP") -> RefusedError:
    return refused(
        401,
        SESSION_REQUIRED,
        "This browser was not let in.",
        action=f"Let it in with: {way_in_to(app)}",
        **{"www-authenticate": 'Bearer realm="deskbus"'},
    )


def _preflight(asked: CheckedRequest, path: str) -> Response:
    """Answers a preflight, which succeeds for listed origins only."""
    wanted = asked.request.headers.get("access-control-request-method", "")
    if asked.source != "outside" or path not in CORS_PATHS or wanted != "POST":
        raise refused(403, PERMISSION_DENIED, "Pages of this origin may not do this.")
    return Response(
        status_code=204,
        headers={
            "access-control-allow-origin": asked.origin,
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": "authorization, content-type",
            "access-control-max-age": str(PREFLIGHT_LIFE_S),
            "vary": "Origin",
        },
    )


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type=JSON)


def _failure(status: int, error: DeskbusError, headers: Mapping[str, str] = {}) -> Response:
    """RFC 9457 has problem documents; this is the error that every other entrance sends."""
    response = _json({"error": error.to_object()}, status)
    response.headers.update(headers)
    return response


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _body(request: Request, limit_bytes: int, *media_types: str) -> bytes:
    """A body of one of these types, within the limit; raises `RefusedError`."""
    if _media_type(request) not in media_types:
        words = f"The body has to be {' or '.join(media_types)}."
        raise refused(415, INVALID_PARAMS, words)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise refused(415, INVALID_PARAMS, "The body may not be compressed.")
    declared = request.headers.get("content-length", "0")
    if int(declared) > limit_bytes:
        raise _too_large(limit_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
    return bytes(body)


def _too_large(limit_bytes: int) -> RefusedError:
    # The rest is not read: what it would be taken for is the next request.
    return refused(413, TOO_LARGE, f"At most {limit_bytes} bytes.", connection="close")


Body = TypeVar("Body", bound=msgspec.Struct)
Answer = TypeVar("Answer")


async def _read(request: Request, kind: type[Body]) -> Body:
    """A small body of JSON; an empty one stands for an empty object. Raises `RefusedError`.

    It is read before a browser is looked up, which may be forgotten while its request comes in.
    """
    body = await _body(request, MAX_FORM_BYTES, JSON)
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise refused(400, INVALID_PARAMS, "This body is not of the form that is wanted.") from None


async def _while_connected(request: Request, answer: Awaitable[Answer]) -> Answer:
    """The answer; raises `ClientDisconnect` where nobody waits for it any more, and its
    `DeskbusError`.
    """
    outcome: tuple[Answer] | DeskbusError | None = None

    async def watch() -> None:
        # The body was read, so all that can come is the end.
        while (await request.receive())["type"] != "http.disconnect":
            pass
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        try:
            outcome = (await answer,)
        except DeskbusError as error:
            outcome = error
        tasks.cancel_scope.cancel()
    if outcome is None:
        raise ClientDisconnect
    if isinstance(outcome, DeskbusError):
        raise outcome
    return outcome[0]


def _keep(response: Response, admission: BrowserAdmission) -> None:
    """Has the browser keep the secret of its session."""
    response.set_cookie(COOKIE, admission.secret, path="/", httponly=True, samesite="strict")


async def _form(request: Request) -> dict[str, str]:
    from urllib.parse import parse_qsl

    body = await _body(request, MAX_FORM_BYTES, FORM)
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=4))
    except ValueError:
        raise refused(400, INVALID_PARAMS, "This is no form.") from None


def _bearer(request: Request) -> str:
    """RFC 6750, section 2.1."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
