"""The control centre through the gateway: its entrance, its step up to acting, and its end."""

import json
from typing import Any, NamedTuple

import anyio
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from deskbus.rpc import fastpath
from deskbus.web.limits import RATE_BURST_S, TICKETS_PER_S
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.errors import (
    PERMISSION_DENIED,
    SESSION_REQUIRED,
    TICKET_REFUSED,
    DeskbusError,
)
from deskbus_protocol.methods import METHODS
from tests.web.desk import LIMIT_S, TICKER, Paired, WebDesk, call, opening

pytestmark = pytest.mark.requirement("5.4")

ACTIONS = sorted(row.name for row in METHODS.values() if row.permission == "control.act")
METHODS_OF_THE_BUS = fastpath.METHODS | fastpath.ASKING
"""They go by grants, of which there are none."""

OUTSIDE_OF_IT = sorted(
    row.name
    for row in METHODS.values()
    if row.handled_by == "backend"
    and row.permission is None
    and not row.name.startswith("session.")
    and row.name not in METHODS_OF_THE_BUS
)
TRIES = 2 * int(TICKETS_PER_S * RATE_BURST_S)
"""Twice as many as are let through in a burst."""

FORM = {"content-type": "application/x-www-form-urlencoded", "origin": "null"}


class Seat(NamedTuple):
    """A page of the control centre in a browser that was let in."""

    paired: Paired
    socket: ClientConnection
    client: str

    @property
    def browser(self) -> str:
        return self.client.split("-")[1]

    async def ask(self, method: str, **params: object) -> Any:
        return await call(self.socket, method, params)


async def sit(desk: WebDesk, socket: ClientConnection) -> Seat:
    paired = await desk.pair(CONTROL_APP)
    made = (await desk.ticket(paired, CONTROL_APP)).json()
    opened = await call(socket, "session.open", opening(made["ticket"], CONTROL_APP))
    assert opened["result"]["app"] == CONTROL_APP
    return Seat(paired, socket, made["client"])


async def step_up(desk: WebDesk, paired: Paired, code: str, **changes: str | None) -> int:
    headers: dict[str, str | None] = {**paired.headers(desk.origins[CONTROL_APP])}
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    given = {name: value for name, value in headers.items() if value is not None}
    body = json.dumps({"code": code}).encode()
    reply = await desk.ask("POST", "/step-up", app=CONTROL_APP, headers=given, body=body)
    return reply.status


async def code_for(desk: WebDesk, browser: str) -> str:
    made = await desk.shell.client.call("web.pairToAct", {"browser": browser}, result=dict)
    return str(made["code"])


async def records(desk: WebDesk, *kinds: str) -> list[dict[str, Any]]:
    wanted = {"types": list(kinds), "limit": 500}
    page = await desk.shell.client.call("audit.query", wanted, result=dict)
    return list(page["records"])


async def closed(socket: ClientConnection) -> None:
    """The gateway closes it; what came before is passed over."""
    with anyio.fail_after(LIMIT_S):
        async for _ in socket:
            pass


async def test_a_browser_that_was_let_in_looks_and_may_not_act(desk: WebDesk) -> None:
    async with desk.socket(CONTROL_APP) as socket:
        seat = await sit(desk, socket)
        overview = (await seat.ask("control.overview"))["result"]
        assert overview["acts"] is False
        assert overview["apps"] == len(desk.urls) - 1
        refused = await seat.ask("control.publish", topic="tests.one", payload=1)
        assert refused["error"]["code"] == PERMISSION_DENIED.code
        assert (await seat.ask("audit.query"))["result"]["records"]


@pytest.mark.parametrize("method", ACTIONS)
async def test_no_action_is_done_without_a_code_of_its_own(desk: WebDesk, method: str) -> None:
    async with desk.socket(CONTROL_APP) as socket:
        seat = await sit(desk, socket)
        assert (await seat.ask(method))["error"]["code"] == PERMISSION_DENIED.code


async def test_a_page_of_the_control_centre_has_no_other_method(desk: WebDesk) -> None:
    async with desk.socket(CONTROL_APP) as socket:
        seat = await sit(desk, socket)
        assert await step_up(desk, seat.paired, await code_for(desk, seat.browser)) == 200
        for method in OUTSIDE_OF_IT:
            answer = await seat.ask(method)
            assert answer["error"]["code"] == PERMISSION_DENIED.code, method
        wish: dict[str, object] = {"topic": "orders.new", "payload": 1}
        for method, more in (
            ("bus.publish", {}),
            ("bus.request", {}),
            ("bus.send", {"app": TICKER}),
        ):
            answer = await seat.ask(method, **wish, **more)
            assert answer["error"]["code"] == PERMISSION_DENIED.code, method


@pytest.mark.requirement("8.1")
async def test_with_a_second_code_it_acts_and_all_of_it_is_on_record(desk: WebDesk) -> None:
    async with desk.socket(CONTROL_APP) as socket:
        seat = await sit(desk, socket)
        assert await step_up(desk, seat.paired, await code_for(desk, seat.browser)) == 200
        overview = (await seat.ask("control.overview"))["result"]
        assert overview["acts"] is True
        assert 0 < overview["actsUntil"] - overview["now"] <= 600_000
        done = await seat.ask("control.publish", topic="tests.two", payload=2)
        assert done["result"]["seq"] == 1
        by_browser = {
            each["type"]
            for each in await records(
                desk, "control.entered", "control.stepped_up", "control.acted"
            )
            if each["client"].startswith(f"tab-{seat.browser}")
        }
        assert by_browser == {"control.entered", "control.stepped_up", "control.acted"}


async def test_a_test_message_reaches_no_inbox_of_an_app(desk: WebDesk) -> None:
    async with desk.socket(CONTROL_APP) as socket:
        seat = await sit(desk, socket)
        assert await step_up(desk, seat.paired, await code_for(desk, seat.browser)) == 200
        refused = await seat.ask("control.publish", topic="fdc3.inbox.someone", payload=1)
        assert "error" in refused


async def test_a_code_to_act_is_good_once_and_for_its_own_browser(desk: WebDesk) -> None:
    async with desk.socket(CONTROL_APP) as one, desk.socket(CONTROL_APP) as two:
        mine, other = await sit(desk, one), await sit(desk, two)
        code = await code_for(desk, mine.browser)
        assert await step_up(desk, other.paired, code) == 403
        assert await step_up(desk, mine.paired, code) == 403
        code = await code_for(desk, mine.browser)
        assert await step_up(desk, mine.paired, code) == 200
        assert await step_up(desk, mine.paired, code) == 403
        entrance = await desk.shell.client.call("web.pair", {"app": CONTROL_APP}, result=dict)
        assert await step_up(desk, other.paired, entrance["code"]) == 403
        assert (await other.ask("control.overview"))["result"]["acts"] is False
        told = await records(desk, "control.refused")
        assert f"tab-{other.browser}" in {each["client"] for each in told}


@pytest.mark.parametrize(
    "changes",
    [
        {"x_deskbus_csrf": None},
        {"x_deskbus_csrf": "forged"},
        {"x_deskbus_proof": None},
        {"cookie": None},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://evil.localhost"},
        {"content_type": "text/plain"},
    ],
)
async def test_a_good_code_with_a_forged_request_is_refused(
    desk: WebDesk, changes: dict[str, str | None]
) -> None:
    async with desk.socket(CONTROL_APP) as socket:
        seat = await sit(desk, socket)
        code = await code_for(desk, seat.browser)
        assert await step_up(desk, seat.paired, code, **changes) in (401, 403, 415)
        assert await step_up(desk, seat.paired, code) == 200


async def test_only_the_control_centre_can_step_up(desk: WebDesk) -> None:
    paired = await desk.pair(TICKER)
    headers = paired.headers(desk.origins[TICKER])
    body = b'{"code": "0000-0000-0000-0000"}'
    assert (await desk.ask("POST", "/step-up", headers=headers, body=body)).status == 404


async def test_the_entrance_takes_one_code_once(desk: WebDesk) -> None:
    made = await desk.shell.client.call("web.pair", {"app": CONTROL_APP}, result=dict)
    body = f"code={made['code']}&page=bus%2Fa%22%3E%3Cscript%3E".encode()
    welcome = await desk.ask("POST", "/pair", app=CONTROL_APP, headers=FORM, body=body)
    assert welcome.status == 200
    assert b"<script>" not in welcome.body
    attributes = {part.strip().lower() for part in welcome.headers["set-cookie"].split(";")[1:]}
    assert attributes == {"httponly", "path=/", "samesite=strict"}
    again = await desk.ask("POST", "/pair", app=CONTROL_APP, headers=FORM, body=body)
    assert again.status == 403
    assert "control-centre --browser" in again.json()["error"]["data"]["action"]
    of_an_app = await desk.shell.client.call("web.pair", {"app": TICKER}, result=dict)
    body = f"code={of_an_app['code']}".encode()
    assert (await desk.ask("POST", "/pair", app=CONTROL_APP, headers=FORM, body=body)).status == 403


async def test_a_page_that_was_not_let_in_has_no_token_and_no_data(desk: WebDesk) -> None:
    page = await desk.page(CONTROL_APP, {"sec-fetch-site": "none"})
    assert page.status == 200
    for told in (b"deskbus-csrf", b"deskbus-client", TICKER.encode()):
        assert told not in page.body
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    assert page.headers["cross-origin-embedder-policy"] == "require-corp"
    assert page.headers["cross-origin-resource-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"


async def test_a_page_of_an_app_gets_nothing_of_it(desk: WebDesk) -> None:
    paired = await desk.pair(CONTROL_APP)
    own = desk.origins[TICKER]
    for site in ("same-site", "cross-site"):
        headers = {"cookie": paired.cookie, "origin": own, "sec-fetch-site": site}
        fetched = await desk.page(CONTROL_APP, {**headers, "sec-fetch-mode": "cors"})
        assert fetched.status == 403
        framed = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
        assert (await desk.page(CONTROL_APP, {**headers, **framed})).status == 403
        forged = {**paired.headers(own), "sec-fetch-site": site}
        for path in ("/ticket", "/step-up", "/rpc"):
            reply = await desk.ask("POST", path, app=CONTROL_APP, headers=forged, body=b"{}")
            assert reply.status == 403, path
            assert "access-control-allow-origin" not in reply.headers
    with pytest.raises(InvalidStatus, match="403"):
        async with desk.socket(CONTROL_APP, origin=own):
            pass


async def test_its_ticket_and_its_cookie_are_worth_nothing_on_another_site(desk: WebDesk) -> None:
    paired = await desk.pair(CONTROL_APP)
    made = (await desk.ticket(paired, CONTROL_APP)).json()
    async with desk.socket(TICKER) as socket:
        stolen = await call(socket, "session.open", opening(made["ticket"], CONTROL_APP))
        assert stolen["error"]["code"] == TICKET_REFUSED.code
    assert (await desk.ticket(paired, TICKER)).status == 401
    app = await desk.pair(TICKER)
    assert (await desk.ticket(app, CONTROL_APP)).status == 401


async def test_without_a_session_nothing_is_told(desk: WebDesk) -> None:
    async with desk.socket(CONTROL_APP) as socket:
        for method in ("control.overview", "audit.query", "control.publish"):
            answer = await call(socket, method, {})
            codes = (SESSION_REQUIRED.code, PERMISSION_DENIED.code)
            assert answer["error"]["code"] in codes


async def test_revoked_a_browser_loses_its_link_its_cookie_and_its_way_back(desk: WebDesk) -> None:
    async with desk.socket(CONTROL_APP) as socket:
        seat = await sit(desk, socket)
        made = (await desk.ticket(seat.paired, CONTROL_APP)).json()
        code = await code_for(desk, seat.browser)
        async with desk.socket(CONTROL_APP) as other:
            spare = await call(other, "session.open", opening(made["ticket"], CONTROL_APP))
        late = (await desk.ticket(seat.paired, CONTROL_APP)).json()
        wish = {"app": CONTROL_APP}
        gone = await desk.shell.client.call("web.forgetBrowsers", wish, result=dict)
        assert gone["browsers"] >= 1
        await closed(socket)
    assert (await desk.ticket(seat.paired, CONTROL_APP)).status == 401
    assert await step_up(desk, seat.paired, code) == 401
    page = await desk.page(CONTROL_APP, {"cookie": seat.paired.cookie, "sec-fetch-site": "none"})
    assert b"deskbus-csrf" not in page.body
    async with desk.socket(CONTROL_APP) as socket:
        again = {"resumeToken": spare["result"]["resumeToken"], "protocolVersion": "1.0"}
        refused = await call(socket, "session.resume", again)
        assert refused["error"]["code"] == TICKET_REFUSED.code
        refused = await call(socket, "session.open", opening(late["ticket"], CONTROL_APP))
        assert refused["error"]["code"] == TICKET_REFUSED.code
    left = await records(desk, "control.left")
    assert f"tab-{seat.browser}" in {each["client"] for each in left}
    with pytest.raises(DeskbusError, match="No such browser"):
        await code_for(desk, seat.browser)


async def test_an_apps_browser_that_is_forgotten_loses_its_link_too(desk: WebDesk) -> None:
    made = (await desk.ticket(await desk.pair(TICKER))).json()
    async with desk.socket(TICKER) as socket:
        await call(socket, "session.open", opening(made["ticket"]))
        await desk.shell.client.call("web.forgetBrowsers", {"app": TICKER}, result=dict)
        await closed(socket)


async def test_nobody_who_guesses_locks_out_whoever_was_let_in(desk: WebDesk) -> None:
    """A page of any site can send the form of the entrance, as often as it likes."""
    async with desk.socket(CONTROL_APP) as socket:
        seat = await sit(desk, socket)
        code = await code_for(desk, seat.browser)
        foreign = {**FORM, "sec-fetch-site": "cross-site"}
        statuses = set()
        for _ in range(TRIES):
            body = b"code=guessed"
            reply = await desk.ask("POST", "/pair", app=CONTROL_APP, headers=foreign, body=body)
            statuses.add(reply.status)
        assert statuses <= {403, 429}
        for path in ("/step-up", "/ticket"):
            for _ in range(TRIES):
                headers = {"content-type": "application/json"}
                reply = await desk.ask("POST", path, app=CONTROL_APP, headers=headers, body=b"{}")
                assert reply.status == 401
        assert await step_up(desk, seat.paired, code) == 200
        assert (await desk.ticket(seat.paired, CONTROL_APP)).status == 200
    await desk.pair(CONTROL_APP)
