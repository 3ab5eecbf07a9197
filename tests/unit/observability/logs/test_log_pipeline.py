"""A line's way: its level, the ids of its call, and no secret of the vault in it."""

import base64
import io
import json
from pathlib import Path
from typing import cast

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from deskbus.observability.logs import log_pipeline
from deskbus.observability.logs.log_file import RotatedLogFile
from deskbus.observability.logs.log_pipeline import LogPipeline
from deskbus.observability.logs.secret_filter import HIDDEN, MIN_CHARACTERS, SecretFilter, forms
from deskbus.observability.logs.standard_error import StandardError
from deskbus.observability.tracing import call_trace
from deskbus.vault.service import VaultService
from deskbus.vault.vault import Vault

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Output(io.StringIO):
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().split("\n")[:-1]]

    def configure(self, level: str = "info") -> LogPipeline:
        return log_pipeline.configure(level=level, stderr=cast(StandardError, self))


@pytest.fixture
def output() -> Output:
    return Output()


def test_levels_are_by_component_and_change_at_once(output: Output) -> None:
    levels = output.configure("warning").levels
    log = structlog.get_logger()
    log.info("vault.opened")
    levels.set("debug", "vault")
    log.debug("vault.opened")
    log.info("audit.opened")
    levels.set("info")
    levels.set("error", "vault")
    log.warning("vault.disk")
    log.info("audit.opened")
    levels.reset("vault")
    log.info("vault.opened")
    told = [(line["event"], line["level"]) for line in output.lines()]
    assert told == [("vault.opened", "debug"), ("audit.opened", "info"), ("vault.opened", "info")]


def test_a_line_of_a_call_has_its_ids(output: Output) -> None:
    output.configure()
    log = structlog.get_logger()
    params = {"_meta": {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, "correlationId": "c-1"}
    with call_trace.answering(Raw(json.dumps(params).encode()), caller="desk.feed"):
        log.info("vault.opened")
        log.info("app.exited", app="desk.other")
    log.info("vault.closed")
    inside, own, outside = output.lines()
    assert (inside["trace_id"], inside["correlation_id"]) == (TRACE, "c-1")
    assert inside["app"] == "desk.feed"
    assert own["app"] == "desk.other"
    assert not {"trace_id", "correlation_id", "app"} & outside.keys()


@pytest.mark.requirement("3.3")
async def test_what_is_in_the_vault_is_in_no_line_and_no_file(
    output: Output, tmp_path: Path
) -> None:
    logs = output.configure()
    file = RotatedLogFile(tmp_path / "deskbus.log", max_bytes=100_000, files=2)
    logs.write_to(file, readable=True)
    vault = VaultService(Vault(tmp_path / "vault"), lambda _: None, passes=logs.secrets.learn)
    secret = 'hunter"2\\ für alle'
    log = structlog.get_logger()
    async with vault.running():
        await vault.set("desk.feed", "broker", secret)
        logs.secrets.forget()
        # An app that takes it out has it pass again.
        assert await vault.get("desk.feed", "broker") == secret
        log.info("app.said", text=f"logging in with {secret}", nested={"a": [secret]})
        log.info("app.said", raw=secret.encode(), coded=base64.b64encode(secret.encode()))
        event = f"app.{secret}"
        log.info(event, hexed=secret.encode().hex(), password="anything")
        try:
            raise ValueError(secret)
        except ValueError:
            log.exception("app.failed")
    file.close()
    written = output.getvalue() + (tmp_path / "deskbus.log").read_text()
    for form in forms(secret):
        assert form not in written
    assert "hunter" not in written
    assert secret.encode().hex() not in written
    assert base64.b64encode(secret.encode()).decode().rstrip("=") not in written
    assert "anything" not in written
    assert written.count(HIDDEN) >= 12
    assert "logging in with" in written


@given(
    secret=st.text(min_size=MIN_CHARACTERS, max_size=20),
    before=st.text(max_size=20),
    behind=st.text(max_size=20),
)
def test_no_text_around_a_secret_hides_it_from_the_filter(
    secret: str, before: str, behind: str
) -> None:
    secrets = SecretFilter()
    secrets.learn(secret)
    if secret not in HIDDEN:
        cleaned = secrets.clean(before + secret + behind)
        assert HIDDEN in cleaned
        assert secret not in cleaned.replace(HIDDEN, "\0")


def test_of_two_secrets_one_of_which_begins_the_other_nothing_is_left() -> None:
    secrets = SecretFilter()
    secrets.learn("hunter")
    secrets.learn("hunter-and-more")
    assert secrets.clean("with hunter-and-more") == f"with {HIDDEN}"


def test_a_locked_vault_leaves_no_secret_in_the_filter() -> None:
    secrets = SecretFilter()
    secrets.learn("hunter2")
    secrets.clean("anything")
    secrets.forget()
    assert secrets.clean("hunter2") == "hunter2"
