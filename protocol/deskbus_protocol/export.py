"""Writes schemas/ and the TypeScript types from the method table; `--check` only compares.

python -m deskbus_protocol.export [--check]
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from deskbus_protocol import PROTOCOL_VERSION, typescript
from deskbus_protocol.constants import constants
from deskbus_protocol.errors import ERRORS, ErrorData, ErrorObject
from deskbus_protocol.events import AuditEvent
from deskbus_protocol.method import Method
from deskbus_protocol.methods import METHODS
from deskbus_protocol.panels import PanelDescriptor
from deskbus_protocol.reference import reference
from deskbus_protocol.ui import (
    ChoiceDialog,
    FrameDescriptor,
    Notice,
    PermissionDialog,
    WindowDescriptor,
)
from deskbus_protocol.windows import CrashPage

ROOT = Path(__file__).resolve().parents[2]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DESCRIPTORS = {
    "window": WindowDescriptor,
    "permission": PermissionDialog,
    "panel": PanelDescriptor,
    "crash": CrashPage,
    "notice": Notice,
    "choice": ChoiceDialog,
    "frame": FrameDescriptor,
}


def openrpc() -> dict[str, Any]:
    """The OpenRPC 1.3 document, as `rpc.discover` answers it."""
    shapes, components = _components()
    return {
        "openrpc": "1.3.2",
        "info": {
            "title": "deskbus",
            "version": PROTOCOL_VERSION,
            "license": {"name": "Apache-2.0"},
        },
        "methods": [_method_object(row, shapes, components) for row in METHODS.values()],
        "components": {
            "schemas": components,
            "errors": {
                row.name: {
                    "code": row.code,
                    "message": row.message,
                    "data": {
                        "category": row.category,
                        "retryable": row.retryable,
                        "action": row.action,
                    },
                }
                for row in ERRORS.values()
            },
        },
    }


def files() -> dict[Path, str]:
    """Every generated file, by its path below the repository's root."""
    document = openrpc()
    generated = Path("electron-bridge/src/generated")
    descriptors = {name: _descriptor(name) for name in DESCRIPTORS}
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
    check = "--check" in arguments
    drifted = [
        path
        for path, text in files().items()
        if not (ROOT / path).is_file() or (ROOT / path).read_text("utf-8") != text
    ]
    for path in drifted:
        if check:
            sys.stderr.write(f"{path} does not match the protocol: run make schemas\n")
        else:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(files()[path], "utf-8")
    return 1 if check and drifted else 0


def _components() -> tuple[dict[Any, Any], dict[str, Any]]:
    types: list[Any] = [ErrorObject, ErrorData, *DESCRIPTORS.values()]
    for row in METHODS.values():
        types += [row.params] if row.result is None else [row.params, row.result]
    unique = list(dict.fromkeys(types))
    shapes, components = msgspec.json.schema_components(
        unique, ref_template="#/components/schemas/{name}"
    )
    return dict(zip(unique, shapes, strict=True)), components


def _method_object(
    row: Method, shapes: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    shape = components[row.params.__name__]
    required = shape.get("required", [])
    method: dict[str, Any] = {
        "name": row.name,
        "summary": row.summary,
        "paramStructure": "by-name",
        "params": [
            {"name": name, "required": name in required, "schema": schema}
            for name, schema in shape.get("properties", {}).items()
        ],
        "x-params": shapes[row.params],
        "x-handled-by": row.handled_by,
        "x-callers": row.callers,
    }
    if row.result is not None:
        method["result"] = {"name": "result", "schema": shapes[row.result]}
    return method


def _descriptor(name: str) -> dict[str, Any]:
    return {"$schema": DIALECT, "title": name, **msgspec.json.schema(DESCRIPTORS[name])}


def _text(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
