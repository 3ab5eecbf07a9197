"""A hook of MkDocs: takes in pages that lie outside of docs/, and mends links that cross its edge.

Links to files and folders of the repository (sources, schemas, examples) lead to copies of them.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = {
    "README.md": "overview.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SECURITY.md": "SECURITY.md",
    "electron-bridge/README.md": "npm-package.md",
    "examples/README.md": "examples.md",
    "tests/data/README.md": "frozen-data.md",
}
"""Pages of the repository, with their names in the site."""

COPIES = "source/"
LINK = re.compile(r"(\]\()([^()\s]+)(\))")
FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
LANGUAGE = re.compile(r"^(```\w+) [\w ]+$", re.MULTILINE)
"""A test of the page puts more than the language behind a fence."""


def on_config(config: Any) -> Any:
    """Decisions are listed as they lie in their folder, and last what mkdocs.yml does not name."""
    named = set(_named(config.nav))
    others = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in named]
    if others:
        config.nav.append({"More": others})
    decisions = sorted((ROOT / "docs/adr").glob("*.md"))
    config.nav.append({"Decisions": [f"adr/{decision.name}" for decision in decisions]})
    return config


def on_files(files: Files, config: Any) -> Files:
    for source, name in ELSEWHERE.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text("utf-8")))
    wanted = {target for page in files.documentation_pages() for target in _targets(page)}
    for target in sorted(wanted):
        place = ROOT / target
        if place.is_dir():
            listed = sorted(each for each in place.rglob("*") if each.is_file())
            content = _listing(target, listed)
            name = f"{COPIES}{target}/index.md"
            apart = InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, name, content=content, inclusion=apart))
            wanted |= {str(each.relative_to(ROOT)) for each in listed}
    for target in sorted(wanted):
        if (ROOT / target).is_file() and not _page_of(target):
            copy = File.generated(config, COPIES + target, abs_src_path=str(ROOT / target))
            files.append(copy)
    return files


def _named(entry: Any) -> Iterator[str]:
    """The pages of a part of the navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for each in entry.values() if isinstance(entry, dict) else entry:
            yield from _named(each)


def _listing(folder: str, listed: list[Path]) -> str:
    names = [str(each.relative_to(ROOT / folder)) for each in listed]
    return "\n".join([f"# {folder}/\n", *(f"- [{name}]({name})" for name in names), ""])


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    own = page.file.src_uri

    def mended(link: re.Match[str]) -> str:
        return f"{link[1]}{_mended(link[2], own)}{link[3]}"

    parts = FENCED.split(LANGUAGE.sub(r"\1", markdown))
    return "".join(part if part.startswith("```") else LINK.sub(mended, part) for part in parts)


def _source_of(name: str) -> str:
    """The path below the repository's root of a page of the site."""
    return next((source for source, site in ELSEWHERE.items() if site == name), f"docs/{name}")


def _page_of(target: str) -> str | None:
    """The site's name of a page of the repository, or None for what is no page there."""
    if target in ELSEWHERE:
        return ELSEWHERE[target]
    inside = target.removeprefix("docs/")
    return inside if inside != target else None


def _targets(page: File) -> set[str]:
    """The paths below the repository's root that a page leads to."""
    text = FENCED.sub("", page.content_string)
    folder = posixpath.dirname(_source_of(page.src_uri))
    paths = (link.partition("#")[0] for _, link, _ in LINK.findall(text) if ":" not in link)
    return {posixpath.normpath(posixpath.join(folder, path)) for path in paths if path}


def _mended(link: str, own: str) -> str:
    path, mark, anchor = link.partition("#")
    if not path or ":" in path:
        return link
    target = posixpath.normpath(posixpath.join(posixpath.dirname(_source_of(own)), path))
    wanted = _page_of(target) or COPIES + target
    if (ROOT / target).is_dir():
        wanted += "/index.md"
    return posixpath.relpath(wanted, posixpath.dirname(own) or ".") + mark + anchor
