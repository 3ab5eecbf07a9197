"""Tickets for a browser that a person let in, and for nobody else."""

import json
from typing import Any

import anyio
import pytest

from deskbus.web.limits import RATE_BURST_S, REPORTS_PER_S, TICKETS_PER_S
from deskbus.web.origins.browser_sessions import REVOKED
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.errors import TICKET_REFUSED, DeskbusError
from deskbus_protocol.ui import ShowDialogParams
from tests.integration.shell import answer_to
from tests.web.desk import (
    BLOTTER,
    LIMIT_S,
    OUTSIDE,
    TICKER,
    Paired,
    Reply,
    WebDesk,
    call,
    meta,
    opening,
)

pytestmark = pytest.mark.requirement("5.4")

TRIES = 2 * int(max(TICKETS_PER_S, REPORTS_PER_S) * RATE_BURST_S)
"""Twice as many as are let through in a burst."""


async def test_a_paired_browser_gets_a_ticket_that_opens_a_session(desk: WebDesk) -> None:
    paired = await desk.pair()
    made = (await desk.ticket(paired)).json()
    async with desk.socket() as socket:
        opened = await call(socket, "session.open", opening(made["ticket"]))
    assert opened["result"]["app"] == TICKER
    assert opened["result"]["client"] == made["client"]


async def test_a_code_works_once_and_for_its_app(desk: WebDesk) -> None:
    made = await desk.shell.client.call("web.pair", {"app": TICKER}, result=dict)
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = f"code={made['code']}".encode()
    assert (await desk.ask("POST", "/pair", app=BLOTTER, headers=form, body=body)).status == 403
    assert (await desk.ask("POST", "/pair", headers=form, body=body)).status == 403
    fresh = await desk.shell.client.call("web.pair", {"app": TICKER}, result=dict)
    body = f"code={fresh['code']}".encode()
    assert (await desk.ask("POST", "/pair", headers=form, body=body)).status == 200
    assert (await desk.ask("POST", "/pair", headers=form, body=body)).status == 403


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: WebDesk) -> None:
    made = await desk.shell.client.call("web.pair", {"app": TICKER}, result=dict)
    form = {"content-type": "application/x-www-form-urlencoded"}
    welcome = await desk.ask("POST", "/pair", headers=form, body=f"code={made['code']}".encode())
    attributes = {part.strip().lower() for part in welcome.headers["set-cookie"].split(";")[1:]}
    assert attributes == {"httponly", "path=/", "samesite=strict"}
    assert made["code"] not in welcome.body.decode()


@pytest.mark.parametrize("missing", ["cookie", "x-deskbus-csrf", "x-deskbus-proof"])
async def test_cookie_token_and_proof_are_all_needed(desk: WebDesk, missing: str) -> None:
    paired = await desk.pair()
    headers = paired.headers(desk.origins[TICKER])
    assert (await desk.ask("POST", "/ticket", headers=headers, body=b"{}")).status == 200
    del headers[missing]
    assert (await desk.ask("POST", "/ticket", headers=headers, body=b"{}")).status in (401, 403)


async def test_a_token_of_another_session_is_none(desk: WebDesk) -> None:
    one, other = await desk.pair(), await desk.pair()
    assert (await desk.ticket(one._replace(csrf=other.csrf))).status == 403
    assert (await desk.ticket(one._replace(proof=other.proof))).status == 403
    assert (await desk.ticket(one, BLOTTER)).status == 401


async def test_a_page_that_comes_back_keeps_its_name_and_takes_no_other(desk: WebDesk) -> None:
    one, other = await desk.pair(), await desk.pair()
    first = (await desk.ticket(one)).json()
    wish = json.dumps({"client": first["client"]}).encode()
    assert (await desk.ticket(one, body=wish)).json()["client"] == first["client"]
    assert (await desk.ticket(other, body=wish)).json()["client"] != first["client"]


async def test_a_listed_origin_from_elsewhere_comes_with_the_token_that_a_person_gave_it(
    desk: WebDesk,
) -> None:
    wish = {"app": BLOTTER, "origin": OUTSIDE}
    made = await desk.shell.client.call("web.pairOrigin", wish, result=dict)
    headers = {
        "content-type": "application/json",
        "origin": OUTSIDE,
        "sec-fetch-site": "cross-site",
        "authorization": f"Bearer {made['pairing']}",
    }
    reply = await desk.ask("POST", "/ticket", app=BLOTTER, headers=headers, body=b"{}")
    assert reply.headers["access-control-allow-origin"] == OUTSIDE
    async with desk.socket(BLOTTER, origin=OUTSIDE) as socket:
        answer = await call(socket, "session.open", opening(reply.json()["ticket"], BLOTTER))
    assert answer["result"]["app"] == BLOTTER
    for changes in ({"origin": "https://evil.example"}, {"authorization": "Bearer guessed"}):
        elsewhere = {**headers, **changes}
        refused = await desk.ask("POST", "/ticket", app=BLOTTER, headers=elsewhere, body=b"{}")
        assert refused.status in (401, 403)
    with pytest.raises(DeskbusError, match="has no page from"):
        await desk.shell.client.call("web.pairOrigin", {**wish, "app": TICKER}, result=dict)


async def test_browsers_that_are_forgotten_are_let_in_no_more(desk: WebDesk) -> None:
    paired = await desk.pair()
    gone = await desk.shell.client.call("web.forgetBrowsers", {"app": TICKER}, result=dict)
    assert gone["browsers"] >= 1
    assert (await desk.ticket(paired)).status == 401


@pytest.mark.requirement("5.5")
async def test_what_was_refused_stands_in_the_audit_log(desk: WebDesk) -> None:
    paired = await desk.pair(BLOTTER)
    await desk.ticket(paired._replace(csrf="stale"), BLOTTER)
    await desk.ask("GET", "/health", host="rebound.example")
    wanted = {"types": ["web.csrf", "web.origin"], "limit": 100}
    found = await desk.shell.client.call("audit.query", wanted, result=dict)
    told = {(each["type"], each.get("app", "")): each["details"] for each in found["records"]}
    assert told["web.csrf", BLOTTER]["path"] == "/ticket"
    assert told["web.origin", ""]["origin"] == "http://rebound.example"


async def records(desk: WebDesk, kind: str) -> list[dict[str, Any]]:
    query = {"types": [kind], "limit": 500}
    found = await desk.shell.client.call("audit.query", query, result=dict)
    return list(found["records"])


@pytest.mark.requirement("8.1")
async def test_a_browser_and_an_origin_are_on_record_as_they_enter_and_leave(
    desk: WebDesk,
) -> None:
    paired = await desk.pair(BLOTTER)
    wish = {"app": BLOTTER, "origin": OUTSIDE}
    await desk.shell.client.call("web.pairOrigin", wish, result=dict)
    made = (await desk.ticket(paired, BLOTTER)).json()
    browser, own = made["client"].split("-")[1], desk.origins[BLOTTER]
    entered = [(each["client"], each["details"]) for each in await records(desk, "web.entered")]
    assert (browser, {"origin": own, "by": "code"}) in entered
    assert {"origin": OUTSIDE, "by": "token"} in [details for _, details in entered]
    await desk.shell.client.call("web.forgetBrowsers", {"app": BLOTTER}, result=dict)
    with anyio.fail_after(LIMIT_S):
        while browser not in (left := await reasons(desk)):
            pass
    assert left[browser] == REVOKED


async def reasons(desk: WebDesk) -> dict[str, str]:
    """Why browsers left, by their names."""
    return {each["client"]: each["reason"] for each in await records(desk, "web.left")}


async def ask(desk: WebDesk, path: str, body: dict[str, str], origin: str = "") -> Reply:
    """A request of the ticker's own page, or of a page from elsewhere to the blotter's site."""
    app, site = (BLOTTER, "cross-site") if origin else (TICKER, "same-origin")
    headers = {
        "content-type": "application/json",
        "origin": origin or desk.origins[TICKER],
        "sec-fetch-site": site,
    }
    return await desk.ask("POST", path, app=app, headers=headers, body=json.dumps(body).encode())


async def answer(desk: WebDesk, asked: Reply, origin: str = "") -> Reply:
    """The reply that tells what a person said."""
    with anyio.fail_after(LIMIT_S):
        while True:
            reply = await ask(desk, "/pair/answer", {"request": asked.json()["request"]}, origin)
            if reply.status != 200 or not reply.json()["waits"]:
                return reply


@pytest.mark.requirement("3.1")
async def test_a_person_lets_a_browser_in_by_the_dialog_with_its_number(desk: WebDesk) -> None:
    desk.shell.person = desk.shell.allow
    asked = await ask(desk, "/pair/ask", {})
    welcome = await answer(desk, asked)
    cookie = welcome.headers["set-cookie"]
    assert {"httponly", "samesite=strict"} <= set(cookie.lower().split("; "))
    dialog = desk.shell.dialogs[-1]
    assert dialog.number == asked.json()["number"]
    assert (dialog.identity.app, dialog.scope) == (TICKER, desk.origins[TICKER])
    page = await desk.page(TICKER, {"cookie": cookie.split(";")[0], "sec-fetch-site": "none"})
    csrf = meta(page.body, "csrf")
    paired = Paired(cookie.split(";")[0], welcome.json()["proof"], csrf)
    made = await desk.ticket(paired)
    assert made.status == 200
    number = {"origin": desk.origins[TICKER], "number": dialog.number}
    assert number in [each["details"] for each in await records(desk, "web.asked")]
    entered = [each["details"] for each in await records(desk, "web.entered")]
    assert {**number, "by": "dialog"} in entered


async def test_a_person_lets_a_listed_origin_in_by_the_dialog(desk: WebDesk) -> None:
    desk.shell.person = desk.shell.allow
    asked = await ask(desk, "/pair/ask", {}, OUTSIDE)
    assert asked.headers["access-control-allow-origin"] == OUTSIDE
    pairing = (await answer(desk, asked, OUTSIDE)).json()["pairing"]
    assert desk.shell.dialogs[-1].risk == "high"
    headers = {
        "content-type": "application/json",
        "origin": OUTSIDE,
        "authorization": f"Bearer {pairing}",
    }
    assert (await desk.ask("POST", "/ticket", app=BLOTTER, headers=headers)).status == 200


@pytest.mark.requirement("5.5")
async def test_a_person_who_says_no_keeps_a_browser_out_and_that_is_on_record(
    desk: WebDesk,
) -> None:
    async def no(asked: ShowDialogParams) -> dict[str, Any]:
        await desk.shell.shown(asked)
        return answer_to(asked, "deny", remember="once")

    desk.shell.person = no
    refused = await answer(desk, await ask(desk, "/pair/ask", {}))
    assert refused.status == 403
    assert "a person said no" in refused.json()["error"]["message"]
    assert "set-cookie" not in refused.headers
    told = [
        (each["reason"], each["details"]["site"]) for each in await records(desk, "web.refused")
    ]
    assert ("a person said no", TICKER) in told


async def test_a_click_that_was_meant_for_something_else_lets_no_browser_in(desk: WebDesk) -> None:
    async def at_once(asked: ShowDialogParams) -> dict[str, Any]:
        await desk.shell.shown(asked)
        return answer_to(asked, "allow")

    desk.shell.person = at_once
    assert (await answer(desk, await ask(desk, "/pair/ask", {}))).status == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": None},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"content-type": "text/plain"},
    ],
)
async def test_nothing_but_a_page_of_the_app_can_bring_the_dialog_up(
    desk: WebDesk, changes: dict[str, str | None]
) -> None:
    shown = len(desk.shell.dialogs)
    honest = {
        "content-type": "application/json",
        "origin": desk.origins[TICKER],
        "sec-fetch-site": "same-origin",
    }
    headers = {name: value for name, value in {**honest, **changes}.items() if value}
    reply = await desk.ask("POST", "/pair/ask", headers=headers, body=b"{}")
    assert reply.status in (403, 415)
    assert len(desk.shell.dialogs) == shown


async def test_the_control_centre_is_entered_by_a_code_alone(desk: WebDesk) -> None:
    headers = {"content-type": "application/json", "origin": desk.origins[CONTROL_APP]}
    reply = await desk.ask("POST", "/pair/ask", app=CONTROL_APP, headers=headers, body=b"{}")
    assert reply.status == 403
    assert "control-centre --browser" in reply.json()["error"]["data"]["action"]


async def test_what_strangers_and_other_browsers_spend_is_no_budget_of_a_browser_that_is_in(
    desk: WebDesk,
) -> None:
    one, other = await desk.pair(), await desk.pair()
    report = json.dumps({"csp-report": {"blocked-uri": "inline"}}).encode()
    headers = {"content-type": "application/csp-report", "origin": desk.origins[TICKER]}
    own = {**other.headers(desk.origins[TICKER]), **headers}
    for _ in range(TRIES):
        flooding = await desk.ask("POST", "/csp-report", headers=headers, body=report)
        busy = await desk.ticket(one)
        # Where each takes long, what is spent comes back meanwhile.
        assert {flooding.status, busy.status} <= {200, 204, 429}
    assert (await desk.ask("POST", "/csp-report", headers=own, body=report)).status == 204
    assert (await desk.ticket(other)).status == 200


async def test_a_ticket_opens_no_session_on_another_apps_site(desk: WebDesk) -> None:
    """A request that shows it there is refused, and the ticket is spent."""
    made = (await desk.ticket(await desk.pair())).json()
    async with desk.socket(BLOTTER) as socket:
        stolen = await call(socket, "session.open", opening(made["ticket"]))
        assert stolen["error"]["code"] == TICKET_REFUSED.code
    async with desk.socket() as socket:
        late = await call(socket, "session.open", opening(made["ticket"]))
        assert late["error"]["code"] == TICKET_REFUSED.code


async def test_a_resume_token_resumes_no_session_on_another_apps_site(desk: WebDesk) -> None:
    made = (await desk.ticket(await desk.pair())).json()
    async with desk.socket() as socket:
        opened = await call(socket, "session.open", opening(made["ticket"]))
    again = {"resumeToken": opened["result"]["resumeToken"], "protocolVersion": "1.0"}
    async with desk.socket(BLOTTER) as socket:
        assert (await call(socket, "session.resume", again))["error"]["code"] == TICKET_REFUSED.code
