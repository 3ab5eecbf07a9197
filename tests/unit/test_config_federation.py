"""The `[federation]` of a configuration file."""

from pathlib import Path

import pytest
from msgspec import UNSET

from deskbus.config import ConfigError, FederationConfig, load


def read(folder: Path, text: str) -> FederationConfig:
    file = folder / "deskbus.toml"
    file.write_text(text)
    found = load(file).federation
    assert isinstance(found, FederationConfig)
    return found


def test_send_and_receive_are_the_topics_unless_given(tmp_path: Path) -> None:
    found = read(tmp_path, '[federation]\nname = "desk-a"\ntopics = ["prices.#"]')
    assert (found.sent_patterns, found.received_patterns) == (["prices.#"], ["prices.#"])
    found = read(tmp_path, '[federation]\nname = "a"\ntopics = ["a.#"]\nsend = []\nreceive = ["b"]')
    assert (found.sent_patterns, found.received_patterns) == ([], ["b"])


def test_without_the_section_there_is_no_federation(tmp_path: Path) -> None:
    file = tmp_path / "deskbus.toml"
    file.write_text("")
    assert load(file).federation is UNSET


@pytest.mark.parametrize(
    "server",
    [
        "nats://a:4222",
        "tls://u:p@a.example.com",
        "wss://a/nats",
        "ws://a",
        "a",
        "a:4222",
        "[::1]:1",
    ],
)
def test_every_address_that_nats_takes_is_a_server(tmp_path: Path, server: str) -> None:
    found = read(tmp_path, f'[federation]\nname = "a"\nservers = ["{server}"]')
    assert found.servers == [server]


@pytest.mark.parametrize(
    "section",
    [
        "",
        'name = "Desk A"',
        'name = "a.b"',
        'name = "a"\nservers = []',
        'name = "a"\nprefix = "a.b"',
        'name = "a"\ntopics = ["prices..x"]',
        'name = "a"\nsend = ["prices.x*"]',
        'name = "a"\nreceive = [""]',
        'name = "a"\ntopic = ["prices.#"]',
        'name = "a"\nstream = { max_age_days = 0 }',
    ],
)
def test_a_section_that_can_not_be_used_is_an_error(tmp_path: Path, section: str) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, f"[federation]\n{section}\n")
