"""Tickets for a browser that a person let in, and for nobody else."""

import json

import anyio
import pytest

from deskbus_protocol.errors import TICKET_REFUSED, DeskbusError
from tests.web.desk import BLOTTER, LIMIT_S, OUTSIDE, TICKER, WebDesk, call, opening

pytestmark = pytest.mark.requirement("5.4")


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


@pytest.mark.requirement("8.1")
async def test_a_browser_and_an_origin_that_are_let_in_stand_in_the_audit_log(
    desk: WebDesk,
) -> None:
    paired = await desk.pair(BLOTTER)
    wish = {"app": BLOTTER, "origin": OUTSIDE}
    await desk.shell.client.call("web.pairOrigin", wish, result=dict)
    made = (await desk.ticket(paired, BLOTTER)).json()
    expected = {made["client"].split("-")[1]: desk.origins[BLOTTER]}
    told: dict[str, str] = {}
    with anyio.fail_after(LIMIT_S):
        while not (expected.items() <= told.items() and OUTSIDE in told.values()):
            query = {"types": ["web.entered"], "apps": [BLOTTER], "limit": 100}
            found = await desk.shell.client.call("audit.query", query, result=dict)
            told = {each["client"]: each["details"]["origin"] for each in found["records"]}


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
