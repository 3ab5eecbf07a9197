"""Pages that the gateway serves: each app on a site of its own, under a policy."""

import re
from typing import Any

import pytest

from tests.web.desk import BLOTTER, FRAMED, TICKER, WebDesk, meta

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "origin-agent-cluster": "?1",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}


def directives(policy: str) -> dict[str, str]:
    return dict(each.strip().partition(" ")[::2] for each in policy.split(";"))


def test_each_app_has_one_label_below_localhost(desk: WebDesk) -> None:
    hosts = [origin.split("/")[2].partition(":")[0] for origin in desk.origins.values()]
    assert len(set(hosts)) == len(hosts)
    for host in hosts:
        assert re.fullmatch(r"[a-z0-9-]{1,63}\.localhost", host)


@pytest.mark.requirement("5.3")
async def test_a_page_runs_its_own_scripts_by_nonce_and_no_inline_ones(desk: WebDesk) -> None:
    page = await desk.page()
    policy = directives(page.headers["content-security-policy"])
    nonce = re.fullmatch(r"'nonce-([A-Za-z0-9_-]{22})' 'strict-dynamic'", policy["script-src"])
    assert nonce is not None
    text = page.body.decode()
    assert f'<script nonce="{nonce[1]}" src="page.js" defer></script>' in text
    assert '<script src="https://cdn.example.com/lib.js">' in text
    assert "<script>document.title = 'inline ran';</script>" in text
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["report-uri"] == "/csp-report"
    assert "report-to" not in policy


async def test_a_nonce_is_of_one_response(desk: WebDesk) -> None:
    policies = {(await desk.page()).headers["content-security-policy"] for _ in range(3)}
    assert len(policies) == 3


async def test_a_script_from_elsewhere_runs_where_the_app_lists_its_source(desk: WebDesk) -> None:
    page = await desk.page(BLOTTER)
    assert re.search(r'<script nonce="[^"]+" src="https://cdn.example.com/lib.js">', str(page.body))


async def test_a_page_may_be_framed_by_the_hosts_that_its_app_lists_alone(desk: WebDesk) -> None:
    page = await desk.page(FRAMED)
    policy = directives(page.headers["content-security-policy"])
    assert policy["frame-ancestors"] == desk.origins[TICKER]
    assert page.headers["cross-origin-resource-policy"] == "cross-origin"
    host = await desk.page(TICKER)
    assert directives(host.headers["content-security-policy"])["frame-src"] == desk.origins[FRAMED]


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("GET", "/ticker/page.js", {}, 200),
        ("GET", "/ticker/nothing.js", {}, 404),
        ("GET", "/", {}, 307),
        ("POST", "/ticker/page.js", {}, 405),
        ("DELETE", "/rpc", {}, 405),
        ("POST", "/ticket", {}, 415),
        ("POST", "/rpc", {"content-type": "text/plain"}, 415),
        ("GET", "/health", {}, 200),
        ("GET", "/bus", {"connection": "Upgrade", "upgrade": "websocket"}, 426),
        ("GET", "/deskbus.js", {}, 200),
        ("OPTIONS", "/rpc", {"origin": "https://evil.example"}, 403),
        ("GET", "/" + "x" * 3000, {}, 431),
        ("GET", "bad target", {}, 400),
    ],
)
@pytest.mark.requirement("5.4")
async def test_every_response_has_the_headers_that_restrain_a_browser(
    desk: WebDesk, method: str, target: str, headers: dict[str, str], status: int
) -> None:
    reply = await desk.ask(method, target, headers=headers)
    assert reply.status == status
    for name, value in EVERYWHERE.items():
        assert reply.headers[name] == value
    assert "content-security-policy" in reply.headers
    assert "=()" in reply.headers["permissions-policy"]
    assert "server" not in reply.headers


async def test_a_static_file_is_asked_for_anew_by_its_tag(desk: WebDesk) -> None:
    first = await desk.ask("GET", "/ticker/page.js")
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = await desk.ask(
        "GET", "/ticker/page.js", headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("name", ["deskbus.toml", "stderr.log", "web-port", "apps.json", ".env"])
async def test_nothing_but_an_apps_pages_is_served(desk: WebDesk, name: str) -> None:
    (desk.folder / name).touch()
    assert (await desk.ask("GET", f"/{name}")).status == 404


async def test_data_beside_a_page_is_served(desk: WebDesk) -> None:
    assert (await desk.ask("GET", "/ticker/facts.json")).status == 200


@pytest.mark.requirement("5.4")
async def test_an_unpaired_page_holds_no_token(desk: WebDesk) -> None:
    page = await desk.page()
    assert meta(page.body, "app") == TICKER
    assert meta(page.body, "csrf") == ""


@pytest.mark.requirement("6.4")
async def test_health_over_http_tells_the_worst_state_and_no_more(desk: WebDesk) -> None:
    reply = await desk.ask("GET", "/health", host=f"127.0.0.1:{desk.port}")
    assert reply.status == 200
    assert set(reply.json()) == {"status"}
    health: Any = await desk.shell.client.call("health.get", {}, result=dict)
    assert health["components"]["web"]["status"] == "ok"


async def test_the_same_policy_is_handed_to_the_shell(desk: WebDesk) -> None:
    params = {"app": TICKER, "origin": "app://ticker"}
    told: Any = await desk.shell.client.call("web.policyFor", params, result=dict)
    served = (await desk.page()).headers["content-security-policy"]
    policy = directives(told["headers"]["content-security-policy"])
    assert policy["script-src"] == "'nonce-{nonce}' 'strict-dynamic'"
    assert policy.keys() == directives(served).keys()
