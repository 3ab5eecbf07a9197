"""The generated files: schemas, TypeScript and the reference, written or compared."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from deskbus_protocol.events import AuditEvent
from deskbus_protocol.export import typescript
from deskbus_protocol.export.openrpc import DESCRIPTORS, DIALECT, descriptor, openrpc
from deskbus_protocol.export.reference import reference
from deskbus_protocol.export.shared_constants import constants
from deskbus_protocol.methods import METHODS

ROOT = Path(__file__).resolve().parents[3]


def files() -> dict[Path, str]:
    """Every generated file, by its path below the repository's root."""
    document = openrpc()
    generated = Path("electron-bridge/src/generated")
    descriptors = {name: descriptor(name) for name in DESCRIPTORS}
    event = {"$schema": DIALECT, "title": "audit event", **msgspec.json.schema(AuditEvent)}
    return {
        Path("schemas/openrpc.json"): _text(document),
        Path("schemas/audit/event.json"): _text(event),
        **{Path(f"schemas/ui/{name}.json"): _text(body) for name, body in descriptors.items()},
        Path("docs/rpc.md"): reference(document),
        generated / "protocol.ts": typescript.protocol(document, METHODS),
        generated / "descriptors.ts": typescript.schemas(descriptors),
        generated / "constants.ts": typescript.constants(constants()),
    }


def main(arguments: list[str]) -> int:
    """Writes the protocol's files that differ; see `write`."""
    return write(files(), arguments)


def write(wanted: Mapping[Path, str], arguments: list[str]) -> int:
    """Writes the files that differ; with `--check` names them and returns 1 instead."""
    check = "--check" in arguments
    drifted = [path for path in wanted if not is_current(path, wanted[path])]
    for path in drifted:
        if check:
            sys.stderr.write(f"{path} does not match its source: run make schemas\n")
        else:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(wanted[path], "utf-8")
    return 1 if check and drifted else 0


def is_current(path: Path, text: str) -> bool:
    """Whether the file at a path below the repository's root has that text."""
    return (ROOT / path).is_file() and (ROOT / path).read_text("utf-8") == text


def _text(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
