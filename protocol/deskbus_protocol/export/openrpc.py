"""The OpenRPC document and the JSON Schemas of descriptors, made from the method table."""

from typing import Any

import msgspec

from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.errors import ERRORS, ErrorData, ErrorObject
from deskbus_protocol.method import Method
from deskbus_protocol.methods import METHODS
from deskbus_protocol.panels import PanelDescriptor
from deskbus_protocol.ui import (
    ChoiceDialog,
    FrameDescriptor,
    Notice,
    PermissionDialog,
    WindowDescriptor,
)
from deskbus_protocol.windows import CrashPage

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
    if row.permission is not None:
        method["x-permission"] = row.permission
    if row.result is not None:
        method["result"] = {"name": "result", "schema": shapes[row.result]}
    return method


def descriptor(name: str) -> dict[str, Any]:
    """The JSON Schema 2020-12 of one UI descriptor."""
    return {"$schema": DIALECT, "title": name, **msgspec.json.schema(DESCRIPTORS[name])}
