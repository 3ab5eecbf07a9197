"""Calls over HTTP: the same methods, identity and refusals as over any link."""

import json
from typing import Any

import pytest

from deskbus.config import runtime_dir_for
from deskbus.security.tickets.developer_ticket import FILE_NAME
from tests.web.desk import TICKER, Reply, WebDesk

JSON = {"content-type": "application/json"}


def frame(method: str, params: object = None, **more: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params or {}, **more}


async def post(desk: WebDesk, body: object, **headers: str) -> Reply:
    paired = await desk.pair()
    given = {**paired.headers(desk.origins[TICKER]), **headers}
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await desk.ask("POST", "/rpc", headers=given, body=text)


async def test_a_call_is_answered_as_over_a_link(desk: WebDesk) -> None:
    published = frame("bus.publish", {"topic": "t", "payload": {"x": 1}}, id="seven")
    reply = await post(desk, published)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    answer = reply.json()
    assert answer["id"] == "seven"
    assert answer["result"]["seq"] >= 1


async def test_a_batch_is_answered_as_one_and_a_notification_not_at_all(desk: WebDesk) -> None:
    batch = [frame("session.ping", id=1), frame("session.ping"), frame("nothing.here", id=2)]
    answers = (await post(desk, batch)).json()
    assert {each["id"]: "error" in each for each in answers} == {1: False, 2: True}
    quiet = await post(desk, frame("session.ping"))
    assert (quiet.status, quiet.body) == (204, b"")


@pytest.mark.requirement("3.2")
async def test_a_page_over_http_is_its_app_and_no_more(desk: WebDesk) -> None:
    minted = frame("session.mintTicket", {"app": TICKER, "client": "x"}, id=1)
    assert (await post(desk, minted)).json()["error"]["code"] == -32010


async def test_what_is_no_call_is_refused_with_code_and_action(desk: WebDesk) -> None:
    for body, code in ((b"{", -32700), (b"[]", -32600), (b'{"jsonrpc":"2.0","id":1}', -32600)):
        error = (await post(desk, body)).json()["error"]
        assert error["code"] == code
        assert error["data"]["action"]


async def test_a_body_over_several_lines_is_one_frame(desk: WebDesk) -> None:
    text = json.dumps(frame("session.ping", id=1), indent=2).encode()
    assert (await post(desk, text)).json()["result"] == {}


async def test_a_tool_comes_with_the_developer_ticket_to_the_gateways_own_host(
    desk: WebDesk,
) -> None:
    host = f"127.0.0.1:{desk.port}"
    body = json.dumps(frame("bus.stats", id=1)).encode()
    refused = await desk.ask("POST", "/rpc", host=host, headers=JSON, body=body)
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    wrong = {**JSON, "authorization": "Bearer wrong-ticket-of-length"}
    assert (await desk.ask("POST", "/rpc", host=host, headers=wrong, body=body)).status == 401
    ticket = runtime_dir_for(desk.folder) / FILE_NAME
    # A shell's backend lets no tools in unless it is told to.
    assert not ticket.exists()
