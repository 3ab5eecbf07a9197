"""Names and words of the source: one name for one class, and comments whose subject is a noun."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("backend/deskbus", "protocol/deskbus_protocol")
PROSE = (
    "backend", "protocol", "electron-bridge/src", "electron-bridge/test", "demo", "examples",
    "tests",
)  # fmt: skip
PYTHON, SCRIPT = {".py"}, {".ts", ".js", ".mjs"}

SAME_NAME: dict[str, str] = {
    "Listener": "the FDC3 standard's own name, in its client; and what listens on a socket",
}
"""Classes that share a name with another, each with the reason."""

FRAGMENT = re.compile(
    r"(What|Who|Whoever|Whatever|Whose|Which|Those who|So many|So much|So long|So often)\b(?!.*\?)"
)
"""The beginning of a sentence whose subject is no noun. A question may begin so."""

SENTENCE = re.compile(
    r"(?:^|[.!:]\s+|\n\s*\n\s*)"
    r"((?:What|Who|Whoever|Whatever|Whose|Those who|So many|So much)\b[^?.]*\.)"
)

_DELIMITED = re.compile(r"/\*+(.*?)\*/", re.DOTALL)
_TO_THE_END = re.compile(r"(?m)^[^'\"`\n]*?(?<![:/])//[ \t]*(.*)$")


def sources(folder: str, suffixes: set[str]) -> Iterator[Path]:
    for path in sorted((ROOT / folder).rglob("*")):
        generated = {"generated", "node_modules", "dist", "__pycache__"} & set(path.parts)
        if path.suffix in suffixes and not generated:
            yield path


def test_no_two_classes_of_the_packages_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for path in sources(package, PYTHON):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(str(path.relative_to(ROOT)))
    shared = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in shared.items() if name not in SAME_NAME} == {}
    assert set(SAME_NAME) <= set(shared), "a reason is left of a name that is shared no more"


def python_prose(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring and comment; comments on lines that follow are one."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(words))):
                yield node.lineno, words
    before = -1
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != before + 1:
                yield token.start[0], token.string.lstrip("#: ")
            before = token.start[0]


def script_prose(text: str) -> Iterator[tuple[int, str]]:
    before = -1
    for match in [*_DELIMITED.finditer(text), *_TO_THE_END.finditer(text)]:
        line = text.count("\n", 0, match.start()) + 1
        if match[0].startswith("/*") or line != before + 1:
            yield line, match[1].lstrip("* \n")
        before = line


def fragments(folder: str) -> list[str]:
    found = []
    for read, suffixes in ((python_prose, PYTHON), (script_prose, SCRIPT)):
        for path in sources(folder, suffixes):
            found += [
                f"{path.relative_to(ROOT)}:{line}: {text.strip().splitlines()[0]}"
                for line, text in read(path.read_text())
                if FRAGMENT.match(text.strip())
            ]
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_sentence_of_a_docstring_has_a_pronoun_in_place_of_its_subject(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[0]}"
        for path in sources(package, PYTHON)
        for line, text in python_prose(path.read_text())
        for match in SENTENCE.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize("folder", PROSE)
def test_no_comment_begins_with_a_pronoun_in_place_of_its_subject(folder: str) -> None:
    assert fragments(folder) == []


@pytest.mark.parametrize(
    "text",
    [
        '"""What waits for a client."""\n',
        "def f():\n    '''So many a minute.'''\n",
        "x = 1  # Whoever asks gets it.\n",
        'MAX = 3\n"""Who may ask."""\n',
    ],
)
def test_a_fragment_is_found_in_python(text: str) -> None:
    assert any(FRAGMENT.match(each) for _, each in python_prose(text))


@pytest.mark.parametrize("text", ["/** What is left. */\n", "  // Who may.\n", "let a; // Who.\n"])
def test_a_fragment_is_found_in_scripts(text: str) -> None:
    assert any(FRAGMENT.match(each) for _, each in script_prose(text))
