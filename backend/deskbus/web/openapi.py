"""The OpenAPI 3.1 document of the gateway's HTTP endpoints."""

from typing import Any

from deskbus import __version__
from deskbus.web.limits import MAX_FORM_BYTES, MAX_PAGE_NAME, MAX_REPORT_BYTES, MAX_RPC_BYTES
from deskbus.web.pages.violation_reports import REPORT_TO_TYPE, REPORT_URI_TYPE

_ERROR = {"$ref": "#/components/responses/Refused"}
_REFUSALS = {
    str(status): _ERROR
    for status in (400, 401, 403, 404, 405, 409, 413, 415, 421, 429, 431, 500, 503)
}
_DEVELOPER: list[dict[str, list[str]]] = [{"developerTicket": []}]
_BROWSER: list[dict[str, list[str]]] = [
    {"session": [], "csrf": [], "proof": []},
    {"pairing": []},
]


def document() -> dict[str, Any]:
    """https://spec.openapis.org/oas/v3.1.0. `/rpc` is described by `rpc.discover` itself."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "deskbus web gateway",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/health": {"get": _health()},
            "/metrics": {"get": _metrics()},
            "/openapi.json": {"get": _openapi()},
            "/rpc": {"post": _rpc()},
            "/ticket": {"post": _ticket()},
            "/pair": {"post": _pair()},
            "/pair/ask": {"post": _pair_ask()},
            "/pair/answer": {"post": _pair_answer()},
            "/step-up": {"post": _step_up()},
            "/csp-report": {"post": _report()},
        },
        "components": {
            "schemas": {"Error": _error()},
            "responses": {
                "Refused": {
                    "description": "The request is refused, in words and with what to do.",
                    "content": {"application/json": {"schema": _schema("Error")}},
                }
            },
            "securitySchemes": _schemes(),
        },
    }


def _health() -> dict[str, Any]:
    schema = _object({"status": {"enum": ["ok", "degraded", "failed", "off"]}})
    answer = {"description": "The worst of the components.", "content": _json(schema)}
    return {
        "operationId": "health",
        "summary": "Tells whether the backend works, and no more.",
        "responses": {**_REFUSALS, "200": answer, "503": answer},
    }


def _metrics() -> dict[str, Any]:
    text: dict[str, Any] = {"schema": {"type": "string"}}
    content = {"text/plain": text, "application/openmetrics-text": text}
    return {
        "operationId": "metrics",
        "summary": "All metrics, for Prometheus and what reads its formats.",
        "security": [{"scraper": []}],
        "responses": {**_REFUSALS, "200": {"description": "As accepted.", "content": content}},
    }


def _openapi() -> dict[str, Any]:
    answer = {"description": "This document.", "content": _json({"type": "object"})}
    return {
        "operationId": "openapi",
        "summary": "Answers with this document.",
        "responses": {**_REFUSALS, "200": answer},
    }


def _rpc() -> dict[str, Any]:
    call = {
        "type": "object",
        "required": ["jsonrpc", "method"],
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "method": {"type": "string"},
            "params": {"type": ["object", "array"]},
            "id": {"type": ["string", "number", "null"]},
        },
    }
    body = {"oneOf": [call, {"type": "array", "items": call, "minItems": 1, "maxItems": 256}]}
    return {
        "operationId": "rpc",
        "summary": "Calls methods of the bus as JSON-RPC 2.0, in a session of this call's own.",
        "description": f"At most {MAX_RPC_BYTES} bytes. Tools come to the gateway's own hosts with "
        "the developer ticket, pages to their app's site.",
        "security": [*_DEVELOPER, *_BROWSER],
        "requestBody": {"required": True, "content": _json(body)},
        "responses": {
            **_REFUSALS,
            "200": {
                "description": "The answer, or the answers of a batch.",
                "content": _json({"type": ["object", "array"]}),
            },
            "204": {"description": "Nothing in the body wants an answer."},
            "504": _ERROR,
        },
    }


def _ticket() -> dict[str, Any]:
    answer = _object(
        {name: {"type": "string"} for name in ("ticket", "app", "client", "csrf")},
    )
    return {
        "operationId": "ticket",
        "summary": "Makes a one-time ticket for a page of a browser that was let in.",
        "security": _BROWSER,
        "requestBody": {
            "required": True,
            "content": _json(
                {
                    "type": "object",
                    "properties": {"client": {"type": "string", "maxLength": 128}},
                    "additionalProperties": False,
                }
            ),
        },
        "responses": {
            **_REFUSALS,
            "200": {"description": "A ticket.", "content": _json(answer)},
        },
    }


def _pair() -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["code"],
        "properties": {
            "code": {"type": "string", "maxLength": 128},
            "page": {"type": "string", "maxLength": MAX_PAGE_NAME},
        },
    }
    return {
        "operationId": "pair",
        "summary": "Lets a browser in with a one-time code.",
        "description": f"At most {MAX_FORM_BYTES} bytes.",
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": schema}},
        },
        "responses": {
            **_REFUSALS,
            "200": {
                "description": "A page that goes on to the app.",
                "content": {"text/html": {"schema": {"type": "string"}}},
            },
        },
    }


def _pair_ask() -> dict[str, Any]:
    answer = _object({"request": {"type": "string"}, "number": {"type": "string"}})
    return {
        "operationId": "pairAsk",
        "summary": "Has a person at the shell asked whether pages of this origin may come.",
        "description": "The page shows the number, which the dialog of the shell shows too.",
        "requestBody": {"required": True, "content": _json(_closed({}))},
        "responses": {
            **_REFUSALS,
            "200": {"description": "A person is being asked.", "content": _json(answer)},
        },
    }


def _pair_answer() -> dict[str, Any]:
    texts = {name: {"type": "string"} for name in ("proof", "pairing")}
    answer = {
        "type": "object",
        "required": ["waits"],
        "properties": {"waits": {"type": "boolean"}, **texts},
    }
    wish = _closed({"request": {"type": "string", "maxLength": 128}})
    return {
        "operationId": "pairAnswer",
        "summary": "Waits for the person's word, which is told once.",
        "requestBody": {"required": True, "content": _json(wish)},
        "responses": {
            **_REFUSALS,
            "200": {"description": "Let in, or nobody has answered yet.", "content": _json(answer)},
        },
    }


def _step_up() -> dict[str, Any]:
    body = _closed({"code": {"type": "string", "maxLength": 128}})
    answer = _object({"expiresIn": {"type": "integer"}, "csrf": {"type": "string"}})
    return {
        "operationId": "stepUp",
        "summary": "Lets a browser act in the control centre, with a one-time code of its own.",
        "security": _BROWSER,
        "requestBody": {
            "required": True,
            "content": _json(body),
        },
        "responses": {
            **_REFUSALS,
            "200": {"description": "It may, for so many ms.", "content": _json(answer)},
        },
    }


def _report() -> dict[str, Any]:
    return {
        "operationId": "report",
        "summary": "Takes a browser's reports of what a page's policy refused.",
        "description": f"At most {MAX_REPORT_BYTES} bytes.",
        "requestBody": {
            "required": True,
            "content": {
                REPORT_URI_TYPE: {
                    "schema": _object({"csp-report": {"type": "object"}}),
                },
                REPORT_TO_TYPE: {
                    "schema": {"type": "array", "items": {"type": "object"}},
                },
            },
        },
        "responses": {**_REFUSALS, "204": {"description": "Taken."}},
    }


def _error() -> dict[str, Any]:
    return _object(
        {
            "error": {
                "type": "object",
                "required": ["code", "message", "data"],
                "properties": {
                    "code": {"type": "integer"},
                    "message": {"type": "string"},
                    "data": {"type": "object", "required": ["category", "retryable", "action"]},
                },
            }
        }
    )


def _schemes() -> dict[str, Any]:
    return {
        "developerTicket": {"type": "http", "scheme": "bearer"},
        "pairing": {"type": "http", "scheme": "bearer"},
        "scraper": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "deskbus-session"},
        "csrf": {"type": "apiKey", "in": "header", "name": "x-deskbus-csrf"},
        "proof": {"type": "apiKey", "in": "header", "name": "x-deskbus-proof"},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {**_object(properties), "additionalProperties": False}


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
