"""The gateway's OpenAPI document, and requests that are made up from it."""

import json
from typing import Any

import pytest
from anyio import from_thread, to_thread
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deskbus.config import runtime_dir_for
from deskbus_protocol.methods import METHODS
from tests.web.desk import TICKER, Paired, Reply, WebDesk

EXAMPLES = 40


async def test_the_document_is_served_on_the_gateways_own_hosts_alone(desk: WebDesk) -> None:
    reply = await desk.ask("GET", "/openapi.json", host=f"127.0.0.1:{desk.port}")
    assert reply.json()["openapi"] == "3.1.0"
    described = set(reply.json()["paths"])
    own = {
        "/health",
        "/openapi.json",
        "/metrics",
        "/rpc",
        "/ticket",
        "/pair",
        "/pair/ask",
        "/pair/answer",
        "/step-up",
        "/csp-report",
    }
    assert described == own


@pytest.mark.slow
async def test_made_up_requests_are_answered_as_the_document_says(desk: WebDesk) -> None:
    import schemathesis
    from schemathesis.core.result import Ok

    host = f"127.0.0.1:{desk.port}"
    document: Any = (await desk.ask("GET", "/openapi.json", host=host)).json()
    schema = schemathesis.openapi.from_dict(document)
    seen: set[tuple[str, int]] = set()

    def run() -> None:
        for result in schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def check(case: Any) -> None:
                response = case.call(base_url=f"http://{host}")
                case.validate_response(response)
                seen.add((case.path, response.status_code))

            check()

    await to_thread.run_sync(run)
    assert {path for path, _ in seen} == set(document["paths"])
    assert not [status for _, status in seen if status >= 500 and status != 503]


@pytest.fixture(scope="module")
async def paired(desk: WebDesk) -> Paired:
    return await desk.pair()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
HARMLESS = sorted(name for name, row in METHODS.items() if row.handled_by == "backend")


@pytest.mark.slow
async def test_calls_that_are_made_up_from_the_protocol_are_answered_in_its_form(
    desk: WebDesk, paired: Paired
) -> None:
    async def post(body: bytes) -> Reply:
        headers = paired.headers(desk.origins[TICKER])
        return await desk.ask("POST", "/rpc", headers=headers, body=body)

    def run() -> None:
        @settings(
            max_examples=150,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(
            method=st.sampled_from(HARMLESS),
            params=st.dictionaries(st.sampled_from(["topic", "pattern", "app", "id"]), ANYTHING),
            request_id=st.integers() | st.text(max_size=5),
        )
        def check(method: str, params: Any, request_id: Any) -> None:
            frame = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
            reply = from_thread.run(post, json.dumps(frame).encode())
            assert reply.status in (200, 429), (method, reply)
            if reply.status == 200:
                answer = reply.json()
                assert answer["jsonrpc"] == "2.0"
                assert answer["id"] == request_id
                assert ("result" in answer) != ("error" in answer)
                if "error" in answer:
                    assert answer["error"]["code"] != -32603, (method, params)

        check()

    await to_thread.run_sync(run)
    assert runtime_dir_for(desk.folder).is_dir()
