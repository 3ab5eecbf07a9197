"""Every key of the configuration is in its example, and what the example has can be used."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator

from deskbus.config import Config, ConfigFile
from deskbus.export.generated_files import files
from deskbus.export.key_reference import EXAMPLE, POLICY_EXAMPLE, key_reference, keys
from deskbus.security.policy.policy_file import PolicyFile
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.manifest import Manifest

FOLDER = Path("schemas/config")


def written(value: Any, place: str = "") -> Iterator[str]:
    """Every key of a file, such as `apps.windows.url`."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from written(each, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from written(value[0], place)
    else:
        yield place


def validator(name: str) -> Draft7Validator:
    schema = json.loads(files()[FOLDER / f"{name}.json"])
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def test_the_example_has_every_key_and_a_backend_takes_it() -> None:
    found = set(written(tomllib.loads(EXAMPLE.read_text("utf-8"))))
    # A table of free names ends in one of them.
    missing = {key for key in keys(Config) if not any(f"{each}.".startswith(f"{key}.")
                                                      for each in found)}  # fmt: skip
    assert missing == set()
    assert ConfigFile(EXAMPLE).load().tools


def test_a_policy_and_a_manifest_are_shown_that_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(POLICY_EXAMPLE)
    policy = PolicyFile(tmp_path / "policy.toml", Catalogue(), required=True).read()
    assert len(policy.rules) == 2
    shown = key_reference().split("## Manifests")[1].split("```json\n")[1].split("```")[0]
    assert msgspec.json.decode(shown, type=Manifest).id == "com.example.orders"
    assert not list(validator("manifest").iter_errors(json.loads(shown)))


@pytest.mark.parametrize(
    ("name", "text"), [("deskbus", EXAMPLE.read_text("utf-8")), ("policy", POLICY_EXAMPLE)]
)
def test_an_editor_takes_the_example_and_marks_a_mistake(name: str, text: str) -> None:
    schema, content = validator(name), tomllib.loads(text)
    assert [error.message for error in schema.iter_errors(content)] == []
    content["consnet"] = {}
    assert [error.validator for error in schema.iter_errors(content)] == ["additionalProperties"]


def test_each_key_is_told_with_bounds_default_and_example() -> None:
    rows = key_reference().splitlines()
    assert "| `max_links_of_app` | integer, ≥ 1, ≤ 65,536 | `1024` | `500` |" in rows
    assert '| `name` | text, ≥ 1, ≤ 64 characters | required | `"Orders"` |' in rows
    assert "| `ratio` | number, ≥ 0, ≤ 1 | `0.01` | `0.05` |" in rows
