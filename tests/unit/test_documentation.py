"""The pages for users name tests that exist, and lead to pages and headings that exist."""

import re
from pathlib import Path

import pytest

from deskbus.export.generated_files import files
from deskbus_protocol.export.generated_files import is_current

ROOT = Path(__file__).resolve().parents[2]
TEST = re.compile(r"def (test_\w+)\(")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
PAGES = sorted(
    page
    for folder in ("*", "docs/**/*", "examples/**/*", "electron-bridge/*", "tests/data/*")
    for page in ROOT.glob(f"{folder}.md")
    if "node_modules" not in page.parts
)
SOURCES = (
    ".",
    "backend",
    "protocol",
    "backend/deskbus",
    "protocol/deskbus_protocol",
    "electron-bridge/src",
)
"""Folders from which a page may name a source file."""

SOURCE = re.compile(r"(?:\w[\w.-]*/)+\w[\w.-]*\.(?:py|ts|mjs|js)(?![\w/])")
DECISIONS = sorted((ROOT / "docs/adr").iterdir())
DEVELOPERS_PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "docs/architecture.md", *DECISIONS]


def text_of(page: Path) -> str:
    """Without blocks of code, in which a # begins a comment."""
    return FENCED.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """The names that the repository's host gives to the headings of a page."""
    found: dict[str, int] = {}
    names = set()
    for heading in HEADING.findall(text_of(page)):
        words = LINK.sub("]", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        repeated = found[name] = found.get(name, -1) + 1
        names.add(f"{name}-{repeated}" if repeated else name)
    return names


def broken_links(page: Path) -> list[str]:
    broken = []
    for link in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


def test_schemas_and_references_are_those_of_the_source() -> None:
    assert [path for path, text in files().items() if not is_current(path, text)] == []


def test_every_proof_in_the_page_on_failures_is_a_test() -> None:
    known = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in TEST.findall(path.read_text("utf-8"))
    }
    page = (ROOT / "docs/degradation.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 5
    assert named - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def named_sources(page: Path) -> set[str]:
    """The source files that its text names, in code or not, without those of links and examples."""
    return set(SOURCE.findall(LINK.sub("]", page.read_text("utf-8"))))


@pytest.mark.parametrize("page", DEVELOPERS_PAGES, ids=lambda page: page.name)
def test_every_source_file_that_a_page_for_developers_names_is_there(page: Path) -> None:
    gone = [
        name
        for name in named_sources(page)
        if not any((ROOT / folder / name).is_file() for folder in SOURCES)
    ]
    assert gone == []


def test_pages_for_developers_name_source_files() -> None:
    assert len({name for page in DEVELOPERS_PAGES for name in named_sources(page)}) > 10


def test_a_link_to_a_page_or_a_heading_that_is_missing_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `kit` of ours\n[a](#a-kit-of-ours) [b](#gone) [c](gone.md) [d](page.md#no)\n"
    )
    assert broken_links(page) == ["#gone", "gone.md", "page.md#no"]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.name)
def test_every_decision_has_its_parts_and_is_listed(decision: Path) -> None:
    number = DECISIONS.index(decision) + 1
    text = decision.read_text("utf-8")
    assert re.match(rf"{number:04}-[a-z0-9-]+\.md\Z", decision.name)
    assert text.startswith(f"# {number}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequence"]
    assert f"](adr/{decision.name})" in (ROOT / "docs/architecture.md").read_text("utf-8")


def told_by_sources() -> str:
    """The texts of all sources, without what splits them there over lines and values."""
    folders = (
        ROOT / "backend/deskbus",
        ROOT / "protocol/deskbus_protocol",
        ROOT / "electron-bridge/src",
    )
    texts = [path.read_text("utf-8") for folder in folders for path in sorted(folder.rglob("*"))
             if path.suffix in (".py", ".ts")]  # fmt: skip
    joined = re.sub(r"""["'`](?: \+)?\n\s*f?["'`]""", "", "".join(texts))
    return re.sub(r"\$?\{[^{}]*\}", "…", joined)


def test_the_words_to_look_up_in_troubleshooting_are_those_of_the_source() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.+?) \|", page, re.MULTILINE)
    assert len(rows) > 15
    told = told_by_sources()
    for words in re.findall(r"`([^`]+)`", " ".join(rows)):
        for part in filter(None, (part.strip(" .") for part in words.split("…"))):
            assert part in told, words


def test_every_page_is_reached_from_the_index() -> None:
    reached, waiting = set(), [ROOT / "docs/index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = (page.parent / link.partition("#")[0] for link in LINK.findall(text_of(page)))
        waiting += [each.resolve() for each in targets if each.suffix == ".md" and each.is_file()]
    assert {page for page in PAGES if ROOT / "docs" in page.parents} - reached == set()


def test_every_term_of_the_glossary_is_in_its_order() -> None:
    glossary = (ROOT / "docs/glossary.md").read_text("utf-8")
    terms = re.findall(r"^\| (?!term |---)(.+?) \|", glossary, re.MULTILINE)
    assert terms == sorted(set(terms))
