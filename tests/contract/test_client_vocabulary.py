"""Python, Node and pages offer the same methods with the same options under the same names."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from deskbus_protocol.bus import PublishParams, RequestParams
from deskbus_protocol.client import Client, Inbox, Source, SteadyClient

ROOT = Path(__file__).resolve().parents[2] / "electron-bridge/src"

VOCABULARY = {
    "publish": (
        ("topic", "payload"),
        {"confirm", "durable", "headers", "ttl", "priority", "correlationId", "whileClosed"},
    ),
    "subscribe": (("pattern",), {"mode", "sources"}),
    "request": (
        ("topic", "payload"),
        {"app", "headers", "correlationId", "timeout", "whileClosed"},
    ),
    "respond": (("pattern", "handler"), set[str]()),
    "send": (
        ("app", "topic", "payload"),
        {"client", "headers", "correlationId", "whileClosed"},
    ),
}
"""By method: the arguments, and the options."""

BY_STRUCT = {"publish": PublishParams, "request": RequestParams}
"""Methods of Python's clients that take the members of a Struct as their options."""


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def python_surface(method: Callable[..., object], name: str) -> tuple[list[str], set[str]]:
    parameters = list(inspect.signature(method).parameters.values())[1:]
    named = [
        p.name for p in parameters if p.kind is not p.KEYWORD_ONLY and p.kind is not p.VAR_KEYWORD
    ]
    options = {camel(p.name) for p in parameters if p.kind is p.KEYWORD_ONLY}
    if name in BY_STRUCT:
        options |= set(BY_STRUCT[name].__struct_encode_fields__)
    return named, options


@pytest.mark.parametrize("name", VOCABULARY)
@pytest.mark.parametrize("client", [Client, SteadyClient])
def test_pythons_clients_say_it_in_the_common_words(client: type, name: str) -> None:
    arguments, options = VOCABULARY[name]
    named, offered = python_surface(getattr(client, name), name)
    assert named[: len(arguments)] == list(arguments)
    # One connection has nothing that could wait for another.
    assert offered >= options - ({"whileClosed"} if client is Client else set())


@pytest.mark.parametrize("name", VOCABULARY)
@pytest.mark.parametrize("file", ["client.ts", "api.ts"])
def test_node_and_pages_say_it_in_the_common_words(file: str, name: str) -> None:
    (path,) = ROOT.rglob(file) if file == "client.ts" else [ROOT / "page/api.ts"]
    arguments, _ = VOCABULARY[name]
    found = re.search(rf"^  (?:async )?{name}\(([^)]*)", path.read_text("utf-8"), re.MULTILINE)
    assert found
    assert re.findall(r"(\w+)\??: ", found[1])[: len(arguments)] == list(arguments)


def test_the_page_names_every_option() -> None:
    text = (ROOT / "page/api.ts").read_text("utf-8")
    for _, options in VOCABULARY.values():
        for option in options:
            assert re.search(rf"^  {option}\??: ", text, re.MULTILINE), option


def test_streams_of_one_pattern_get_their_own_sources() -> None:
    inbox = Inbox()
    with inbox.open("a", sources=[Source("feed")]):
        assert inbox.wish("a")["sources"] == [Source("feed")]
        with inbox.open("a", sources=[Source("desk", "main")]):
            assert inbox.wish("a")["sources"] == [Source("feed"), Source("desk", "main")]
        with inbox.open("a"):
            assert "sources" not in inbox.wish("a")
        with inbox.open("a", mode="acknowledged"):
            assert inbox.wish("a") == {"pattern": "a", "mode": "acknowledged"}
