"""Findings of `make scan`, where there is something to be found."""

import json
from email.message import Message
from importlib.metadata import PackageMetadata
from pathlib import Path
from typing import Any, cast

import pytest

from tests.scan.advisories import Weakness, answer_of, known_offline, locked
from tests.scan.licences import FOR_TOOLS, PERMISSIVE, is_allowed, licence_of, refused
from tests.scan.sbom import Part, bill, node_parts, python_parts
from tests.scan.secret_patterns import PATTERNS, search, secrets_in

ROOT = Path(__file__).resolve().parents[3]

PLANTED = {
    "private key": "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEow" + "A" * 40,
    "AWS access key": "AKIA" + "A2B4" * 4,
    "GitHub token": "ghp_" + "a1B2" * 9,
    "GitLab token": "glpat-" + "x" * 20,
    "npm token": "npm_" + "z9" * 18,
    "PyPI token": "pypi-AgEIcHlwaS" + "5vcmc" * 6,
    "Slack token": "xoxb-" + "12345-" * 5,
    "Google key": "AIza" + "S" * 35,
    "Stripe key": "sk_live_" + "4e" * 12,
    "JSON web token": ".".join(["eyJ" + "h" * 20, "eyJ" + "p" * 20, "s" * 30]),
    "NATS seed": "SU" + "A2" * 28,
    "password in an address": "https://person:" + "secretword" + "@host.example",
}


def test_a_package_with_a_known_weakness_fails_the_scan() -> None:
    database: dict[str, list[dict[str, Any]]] = {
        "jinja2": [
            {"specs": ["<2.7.2"], "cve": "CVE-2014-0012", "id": "pyup.io-25865"},
            {"specs": [">=3,<3.1"], "cve": None, "id": "pyup.io-1"},
            {"specs": ["no specifier"], "cve": None, "id": "pyup.io-2"},
        ]
    }
    assert known_offline({"jinja2": "2.7.1"}, database) == [
        Weakness("jinja2", "2.7.1", "CVE-2014-0012")
    ]
    assert known_offline({"jinja2": "3.0.9"}, database) == [
        Weakness("jinja2", "3.0.9", "pyup.io-1")
    ]
    assert known_offline({"jinja2": "2.7.2", "flask": "1.0"}, database) == []


def test_an_answer_of_pypi_is_told_from_none() -> None:
    told = answer_of(
        json.dumps(
            {
                "dependencies": [
                    {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]},
                    {"name": "b", "version": "1", "vulns": []},
                    {"name": "c", "skip_reason": "not found"},
                ]
            }
        )
    )
    assert told == ([Weakness("a", "1", "PYSEC-1")], {"c"})


def test_every_locked_package_is_looked_at() -> None:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    named = {line.partition("==")[0] for line in lines if line[:1].isalnum()}
    assert set(locked(ROOT / "requirements.txt")) == named


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("MIT AND Python-2.0", True),
        ("GPL-3.0-or-later OR MIT", True),
        ("MIT AND GPL-3.0-or-later", False),
        ("LGPL-2.1-or-later", False),
        ("", False),
    ],
)
def test_a_licence_lets_anybody_pass_it_on_or_is_told(expression: str, *, allowed: bool) -> None:
    assert is_allowed(expression, PERMISSIVE) is allowed
    assert refused({"a": expression}, PERMISSIVE) == (
        {} if allowed else {"a": expression or "not told"}
    )


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ([("License-Expression", "MIT-0")], "MIT-0"),
        ([("License", "Apache 2.0")], "Apache-2.0"),
        ([("Classifier", "License :: OSI Approved :: MIT License")], "MIT"),
        ([("Classifier", "License :: OSI Approved"), ("License", "MPL-2.0")], "MPL-2.0"),
        ([("License", "ask us")], ""),
        ([], ""),
    ],
)
def test_a_licence_is_read_however_a_package_says_it(
    fields: list[tuple[str, str]], licence: str
) -> None:
    metadata = Message()
    for name, value in fields:
        metadata[name] = value
    assert licence_of(cast(PackageMetadata, metadata)) == licence
    assert not licence or is_allowed(licence, FOR_TOOLS)


def test_the_bill_of_the_backend_has_what_an_installation_brings() -> None:
    parts = python_parts(ROOT / "pyproject.toml")
    names = {part.name for part in parts}
    assert {"anyio", "msgspec", "cryptography", "cffi", "nats-py", "uvicorn"} <= names
    assert names.isdisjoint({"deskbus", "pytest", "ruff", "hypothesis"})
    made = bill(Part("deskbus", "1", "pkg:pypi/deskbus", "Apache-2.0"), parts)
    references = [each["bom-ref"] for each in made["components"]]
    assert len(set(references)) == len(references) == len(parts)
    assert {each["ref"] for each in made["dependencies"]} == {"pkg:pypi/deskbus@1", *references}
    assert all(each["licenses"] for each in made["components"])


def test_the_bill_of_the_bridge_has_no_tool_of_its_development() -> None:
    lock = {
        "packages": {
            "": {"version": "1"},
            "node_modules/@a/b": {"version": "2", "license": "MIT"},
            "node_modules/esbuild": {"version": "3", "dev": True},
        }
    }
    (part,) = node_parts(lock)
    assert (part.purl, part.version) == ("pkg:npm/%40a/b", "2")


@pytest.mark.parametrize("kind", PATTERNS)
def test_a_credential_is_found_by_its_form(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text(f"first line\nkey = {PLANTED[kind]}\n")
    assert (kind, 2) in set(secrets_in(file.read_bytes()))
    (found, *_) = search([file], set())
    assert (found.path, found.line) == (file, 2)
    assert search([file], {file}) == []


def test_ordinary_text_is_no_credential() -> None:
    text = b"https://host.example/a:b@c sk_test_1 AKIA sha256:" + b"0f" * 32
    assert list(secrets_in(text)) == []
