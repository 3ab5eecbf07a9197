"""Scans sources, packages, licences and history: `python -m tests.scan`.

Writes both bills of materials and report.json into build/scan. The exit code is 1 where something
is found. Where a registry does not answer, that is told, and counts as nothing found; with --strict
it counts as found.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import distributions, version
from pathlib import Path

from tests.scan.advisories import ask, known_offline, locked
from tests.scan.licences import FOR_TOOLS, PERMISSIVE, licence_of, refused
from tests.scan.sbom import Part, bill, node_parts, normalized, python_parts
from tests.scan.secret_patterns import search

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/scan"
BRIDGE = ROOT / "electron-bridge"
PRODUCT = ("backend", "protocol")
EXCEPT = ("S101", "S603", "S607")
"""Asserts narrow types; starting programs without a shell is the backend's work (pyproject)."""
OURS = {"deskbus"}
ACCEPTED = {"crc32c": "LGPL-2.1-or-later"}
"""A library that is installed beside the product, unchanged and replaceable (LGPL, section 6)."""

OPEN_NOTHING = {
    ROOT / "electron-bridge/test/grants.test.mjs",
    ROOT / "tests/integration/federation/test_federation_login.py",
}
"""Tests with made-up credentials in addresses."""

NOT_ANSWERED = "did not answer, so this was not asked: "
LIMIT_S = 300

Scan = Callable[[], tuple[list[str], list[str]]]
"""Findings, and remarks worth making beside them."""


def sources() -> tuple[list[str], list[str]]:
    """The security rules of bandit, as ruff has them, over the product."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "concise"]
    ran = _run([*command, "--select", "S", "--ignore", ",".join(EXCEPT), *PRODUCT])
    return ([] if ran.returncode == 0 else ran.stdout.splitlines()), []


def python_packages(tools: Path) -> tuple[list[str], list[str]]:
    requirements = ROOT / "requirements.txt"
    packages = locked(requirements)
    answer = ask(requirements, tools / "bin/pip-audit")
    (database,) = tools.glob("lib/python*/site-packages/safety_db/insecure_full.json")
    offline = known_offline(packages, json.loads(database.read_text("utf-8")))
    found = [f"{name} {of}: {advisory}" for name, of, advisory in {*answer.weaknesses, *offline}]
    words = [f"{len(packages)} locked packages; the database on disk has advisories to 2021"]
    if answer.unanswered:
        words.append(f"PyPI {NOT_ANSWERED}{len(answer.unanswered)} packages")
    return sorted(found), words


def node_packages() -> tuple[list[str], list[str]]:
    ran = _run(["npm", "--prefix", str(BRIDGE), "audit", "--json"])
    try:
        found = json.loads(ran.stdout)["vulnerabilities"]
    except (json.JSONDecodeError, KeyError):
        return [], [f"the npm registry {NOT_ANSWERED}npm audit"]
    return [f"{name}: {each['severity']}" for name, each in found.items()], []


def licences() -> tuple[list[str], list[str]]:
    product = {part.name: part.licence for part in python_parts(ROOT / "pyproject.toml")}
    tools = {normalized(each.name): licence_of(each.metadata) for each in distributions()}
    lock = _node_lock()
    product |= {part.name: part.licence for part in node_parts(lock)}
    tools |= {
        path: package.get("license", "")
        for path, package in lock["packages"].items()
        if path and package.get("dev")
    }
    bad = refused(dict(product.items() - ACCEPTED.items()), PERMISSIVE)
    unusual = refused(
        {name: tools[name] for name in tools.keys() - product.keys() - OURS}, FOR_TOOLS
    )
    words = [f"{len(product)} packages go along; {len(tools)} with those that build and test"]
    words += [f"a tool, to be looked at by a person: {name} ({of})" for name, of in unusual.items()]
    return [f"{name}: {licence}" for name, licence in bad.items()], words


def bills() -> tuple[list[str], list[str]]:
    parts = python_parts(ROOT / "pyproject.toml")
    backend = Part("deskbus", version("deskbus"), "pkg:pypi/deskbus", "Apache-2.0")
    package = json.loads((BRIDGE / "package.json").read_text("utf-8"))
    bridge = Part(package["name"], package["version"], "pkg:npm/deskbus-electron", "Apache-2.0")
    found = []
    for subject, with_parts in ((backend, parts), (bridge, list(node_parts(_node_lock())))):
        path = BUILD / f"{subject.name}.cdx.json"
        path.write_text(json.dumps(bill(subject, with_parts), indent=2) + "\n", "utf-8")
        found.append(f"{path.relative_to(ROOT)}: {len(with_parts)} components")
    return [], found


def secrets() -> tuple[list[str], list[str]]:
    listed = _run(["git", "ls-files", "-z"]).stdout.split("\0")
    paths = [ROOT / name for name in listed if name]
    found = search(paths, OPEN_NOTHING)
    return [f"{each.path.relative_to(ROOT)}:{each.line}: {each.kind}" for each in found], [
        f"{len(paths)} files"
    ]


def _node_lock() -> dict[str, dict[str, dict[str, str]]]:
    lock: dict[str, dict[str, dict[str, str]]] = json.loads(
        (BRIDGE / "package-lock.json").read_text("utf-8")
    )
    return lock


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scan")
    parser.add_argument("--tools", type=Path, default=BUILD / "tools")
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    scans: dict[str, Scan] = {
        "sources": sources,
        "Python packages": partial(python_packages, options.tools),
        "npm packages": node_packages,
        "licences": licences,
        "bills of materials": bills,
        "secrets": secrets,
    }
    report, failed = {}, False
    for name, scan in scans.items():
        began = time.monotonic()
        found, words = scan()
        failed |= bool(found) or (options.strict and any(NOT_ANSWERED in each for each in words))
        report[name] = {"found": found, "words": words}
        print(f"{name}: {len(found)} found ({time.monotonic() - began:.1f} s)")
        for line in (*found, *words):
            print(f"  {line}")
    (BUILD / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
