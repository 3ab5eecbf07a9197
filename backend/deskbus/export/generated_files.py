"""The generated files: schemas of what people write, and the references of keys and commands."""

import json
from pathlib import Path

import msgspec

from deskbus.config import Config
from deskbus.export.command_reference import command_reference
from deskbus.export.key_reference import key_reference
from deskbus.security.policy.policy_file import PolicyTables
from deskbus_protocol.manifest import Manifest

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest that editors' extensions for TOML read; nothing that these schemas say needs more."""

WRITTEN: dict[str, tuple[type[msgspec.Struct], str]] = {
    "deskbus": (Config, "deskbus.toml, the configuration of a deskbus backend"),
    "policy": (PolicyTables, "policy.toml, an administrator's rules over what people decide"),
    "manifest": (Manifest, "the manifest of an app, as deskbus apps install takes it"),
}


def files() -> dict[Path, str]:
    """Every generated file, by its path below the repository's root."""
    return {
        **{Path(f"schemas/config/{name}.json"): _schema(name) for name in WRITTEN},
        Path("docs/configuration.md"): key_reference(),
        Path("docs/commands.md"): command_reference(),
    }


def _schema(name: str) -> str:
    struct, title = WRITTEN[name]
    (root,), definitions = msgspec.json.schema_components(
        [struct], ref_template="#/definitions/{name}"
    )
    body = definitions.pop(root["$ref"].rsplit("/", 1)[-1])
    schema = {"$schema": DIALECT, **body, "title": title, "definitions": definitions}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
