"""The methods that `deskbus call` can call, as the OpenRPC document has them."""

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import MisuseError
from deskbus_protocol.methods import METHODS

CALLABLE = {name: row for name, row in METHODS.items() if row.handled_by == "backend"}


def check_params(method: str, params: Raw) -> None:
    """Raises `MisuseError` for a method that is not there, or parameters that don't fit it."""
    row = CALLABLE.get(method)
    if row is None:
        raise _no_such(method)
    try:
        msgspec.json.decode(params, type=row.params)
    except msgspec.ValidationError as error:
        raise MisuseError(f"{method}: {error}", f"See: deskbus call --help {method}") from None


def help_of(method: str) -> str:
    """Summary, parameters and result of one method, or without a name a line for each.

    Raises `MisuseError` where there is no such method.
    """
    if not method:
        width = max(map(len, CALLABLE))
        return "".join(f"{name:<{width}}  {row.summary}\n" for name, row in CALLABLE.items())
    if method not in CALLABLE:
        raise _no_such(method)
    # Imported late: the document is made of every type of the protocol.
    from deskbus_protocol.export.openrpc import openrpc

    document = openrpc()
    (found,) = (each for each in document["methods"] if each["name"] == method)
    shapes = document["components"]["schemas"]
    lines = [f"deskbus call {method} [JSON]", "", found["summary"]]
    params = _resolved(found["x-params"], shapes)
    if "description" in params and params.get("properties", {}).keys() != {"_meta"}:
        lines.append(inspect.cleandoc(params["description"]))
    lines += ["", "parameters:", *_members(params, shapes)]
    if "result" in found:
        result = _resolved(found["result"]["schema"], shapes)
        lines += ["", "result:", *_members(result, shapes)]
        if "description" in result:
            lines += ["", inspect.cleandoc(result["description"])]
    else:
        lines += ["", "There is no result: it is a notification."]
    return "\n".join(lines) + "\n"


def _no_such(method: str) -> MisuseError:
    near = difflib.get_close_matches(method, CALLABLE, n=3)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return MisuseError(
        f"there is no method {method} to call", f"{meant}deskbus call --help lists them."
    )


def _members(shape: Mapping[str, Any], shapes: Mapping[str, Any]) -> list[str]:
    required = shape.get("required", [])
    rows = [
        [
            f"  {name}",
            _type(schema, shapes),
            "" if name in required else _otherwise(schema),
            schema.get("description", ""),
        ]
        for name, schema in shape.get("properties", {}).items()
        if name != "_meta"
    ]
    if not rows:
        return ["  none" if shape.get("type") == "object" else f"  {_type(shape, shapes)}"]
    return output.lines_of(rows, 10_000)


def _otherwise(schema: Mapping[str, Any]) -> str:
    return f"default {output.text_of(schema['default'])}" if "default" in schema else "optional"


def _resolved(schema: Mapping[str, Any], shapes: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = shapes[schema["$ref"].rpartition("/")[2]]
    return schema


def _type(schema: Mapping[str, Any], shapes: Mapping[str, Any]) -> str:
    schema = _resolved(schema, shapes)
    if "enum" in schema:
        return " | ".join(output.text_of(value) for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " | ".join(_type(each, shapes) for each in schema[union])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}), shapes)}"
    return str(schema.get("type", "any JSON")) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    words = {
        "minimum": "≥ {}",
        "maximum": "≤ {}",
        "exclusiveMinimum": "> {}",
        "maxLength": "≤ {} characters",
        "pattern": "as {}",
    }
    found = [text.format(schema[name]) for name, text in words.items() if name in schema]
    return f" ({', '.join(found)})" if found else ""
