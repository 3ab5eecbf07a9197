"""Known weaknesses of locked Python packages: as PyPI tells them, and out of a database on disk."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet

LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
LIMIT_S = 300


class Weakness(NamedTuple):
    package: str
    version: str
    advisory: str


class Answer(NamedTuple):
    """`unanswered` are packages that PyPI told nothing about."""

    weaknesses: list[Weakness]
    unanswered: set[str]


def locked(requirements: Path) -> dict[str, str]:
    """Version by name, as pip normalizes it."""
    return {
        re.sub(r"[-_.]+", "-", name).lower(): version
        for name, version in LOCKED.findall(requirements.read_text("utf-8"))
    }


def known_offline(
    packages: Mapping[str, str], database: Mapping[str, list[dict[str, Any]]]
) -> list[Weakness]:
    """The advisories of a database in Safety's format that are about these versions."""
    return [
        Weakness(name, version, str(entry.get("cve") or entry["id"]))
        for name, version in sorted(packages.items())
        for entry in database.get(name, [])
        if any(_covers(spec, version) for spec in entry["specs"])
    ]


def _covers(spec: str, version: str) -> bool:
    try:
        return SpecifierSet(spec).contains(version, prereleases=True)
    except InvalidSpecifier:
        return False


def answer_of(report: str) -> Answer:
    """The advisories in pip-audit's JSON."""
    weaknesses, unanswered = [], set()
    for package in json.loads(report)["dependencies"]:
        if "skip_reason" in package:
            unanswered.add(package["name"])
        weaknesses += [
            Weakness(package["name"], package["version"], found["id"])
            for found in package.get("vulns", [])
        ]
    return Answer(weaknesses, unanswered)


def ask(requirements: Path, program: Path) -> Answer:
    """Asks PyPI by pip-audit; where that fails as a whole nothing was answered."""
    command = [
        *(str(program), "--requirement", str(requirements), "--disable-pip", "--require-hashes"),
        *("--format", "json", "--progress-spinner", "off"),
    ]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    try:
        return answer_of(asked.stdout)
    except (json.JSONDecodeError, KeyError):
        return Answer([], set(locked(requirements)))
