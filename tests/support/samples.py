"""The samples in the pages for users: blocks of code, with the marks that say which test runs them.

A mark is a comment of its own before the block:

    <!-- run by: test_name -->
    <!-- the file examples/rpc.py -->
    <!-- not run: why -->

`<!-- samples run by: test_name -->` at a page's beginning is for all of its code.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from demo.electron import ROOT

FENCE = re.compile(
    r"(?:^<!-- (?P<mark>(?:run by|not run|the file)[^>]*?) -->\n\n?)?"
    r"^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
PAGE_MARK = re.compile(r"^<!-- (samples run by: \w+) -->$", re.MULTILINE)
CODE = {"js", "python", "sh", "ts"}
"""Languages of programs; the others are data."""

PAGES = sorted(
    page
    for folder in ("*", "docs/*", "examples/*", "electron-bridge/*")
    for page in ROOT.glob(f"{folder}.md")
)


class Sample(NamedTuple):
    page: Path
    line: int
    language: str
    code: str
    mark: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def samples(page: Path) -> Iterator[Sample]:
    text = page.read_text("utf-8")
    of_page = PAGE_MARK.search(text)
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("language")) + 1
        mark = found["mark"] or (of_page[1].removeprefix("samples ") if of_page else "")
        yield Sample(page, line, found["language"], found["code"], mark)


def sample_of(page: str, containing: str) -> str:
    """The first block of a page, by its path below the repository's root, with those words."""
    for sample in samples(ROOT / page):
        if containing in sample.code:
            return sample.code
    raise LookupError(f"{page} has no sample with {containing!r}")
