"""Checks every frame of a test against the published schemas."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]


@cache
def _document() -> dict[str, Any]:
    text = (ROOT / "schemas/openrpc.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


@cache
def _validator(shape: str) -> Draft202012Validator:
    schema = {**json.loads(shape), "components": _document()["components"]}
    return Draft202012Validator(schema)


@cache
def _methods() -> dict[str, dict[str, Any]]:
    return {method["name"]: method for method in _document()["methods"]}


class SchemaValidator:
    """Sees the frames of one connection, both ways; the first bad one is a `ValidationError`."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, Any], str] = {}
        self.frames = 0

    def __call__(self, direction: str, text: bytes) -> None:
        frame = json.loads(text)
        self.frames += 1
        method = frame.get("method")
        if method is None:
            self._check_response(direction, frame)
        elif not method.startswith("$/"):
            _validator(json.dumps(_methods()[method]["x-params"])).validate(frame["params"])
            if "id" in frame:
                self._asked[direction, frame["id"]] = method

    def _check_response(self, direction: str, frame: dict[str, Any]) -> None:
        other = "sent" if direction == "received" else "received"
        method = self._asked.pop((other, frame["id"]))
        if "error" in frame:
            _validator('{"$ref": "#/components/schemas/ErrorObject"}').validate(frame["error"])
            _validator('{"$ref": "#/components/schemas/ErrorData"}').validate(
                frame["error"]["data"]
            )
        else:
            schema = _methods()[method]["result"]["schema"]
            _validator(json.dumps(schema)).validate(frame["result"])
