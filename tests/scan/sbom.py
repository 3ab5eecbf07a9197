"""A software bill of materials in CycloneDX 1.5 (ECMA-424), as JSON."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement

from tests.scan.licences import licence_of

FOR_DEVELOPERS = ("test", "dev")


class Part(NamedTuple):
    """A package that goes along. `purl` is its package URL without the version."""

    name: str
    version: str
    purl: str
    licence: str
    needs: tuple[str, ...] = ()


def python_parts(project: Path) -> list[Part]:
    """Packages that the wheel brings with every extra for users, as installed here."""
    said = tomllib.loads(project.read_text("utf-8"))["project"]
    ours = normalized(said["name"])
    wanted = [*said["dependencies"]]
    for extra, more in said["optional-dependencies"].items():
        wanted += [] if extra in FOR_DEVELOPERS else more
    found: dict[str, Part] = {}
    open_ends = [Requirement(each) for each in wanted]
    while open_ends:
        requirement = open_ends.pop()
        name = normalized(requirement.name)
        if name in found or name == ours or not _applies(requirement):
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue
        needs = [Requirement(each) for each in installed.requires or []]
        needs = [each for each in needs if _applies(each, requirement.extras)]
        open_ends += needs
        found[name] = Part(
            name,
            installed.version,
            f"pkg:pypi/{name}",
            licence_of(installed.metadata),
            tuple(sorted({normalized(each.name) for each in needs})),
        )
    return [found[name] for name in sorted(found)]


def _applies(requirement: Requirement, extras: Iterable[str] = ()) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def node_parts(lock: dict[str, Any]) -> Iterator[Part]:
    """Packages that the npm package brings: those that its lock does not call tools."""
    for path, package in lock["packages"].items():
        if path and not package.get("dev") and not package.get("devOptional"):
            name = path.rpartition("node_modules/")[2]
            purl = "pkg:npm/" + name.replace("@", "%40")
            yield Part(name, package["version"], purl, package.get("license", ""))


def bill(subject: Part, parts: Iterable[Part]) -> dict[str, Any]:
    """The same for the same parts: it has neither a time nor a number of its own."""
    listed = list(parts)
    references = {part.name: f"{part.purl}@{part.version}" for part in (subject, *listed)}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**_component(subject), "type": "application"}},
        "components": [_component(part) for part in listed],
        "dependencies": [
            {
                "ref": references[part.name],
                "dependsOn": [references[need] for need in part.needs if need in references],
            }
            for part in (subject._replace(needs=tuple(part.name for part in listed)), *listed)
        ],
    }


def _component(part: Part) -> dict[str, Any]:
    reference = f"{part.purl}@{part.version}"
    component = {
        "type": "library",
        "bom-ref": reference,
        "name": part.name,
        "version": part.version,
        "purl": reference,
    }
    return component | ({"licenses": [{"expression": part.licence}]} if part.licence else {})
