"""Every catalogue is complete, and says in each language what the place needs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deskbus.languages.catalogue import languages, negotiate, read_catalogue
from deskbus.languages.health_words import PREFIX
from deskbus.languages.language import english, language_for
from deskbus.languages.message_format import OTHER, Branches, Message, fields, parse
from deskbus.languages.pseudo_locale import CODE, FILE, catalogue_file
from deskbus_protocol.catalogue import BUILT_IN
from deskbus_protocol.permissions import PermissionEntry

ROOT = Path(__file__).parents[3]
BACKEND = ROOT / "backend/deskbus"
BRIDGE = ROOT / "electron-bridge/src"
KEYS = read_catalogue("en").messages

IN_HTML = re.compile(r"\{\{([\w.-]+)\}\}")
IN_SCRIPT = re.compile(r"(?<!\w)text(?:Or)?\(\s*(['`])([^'`]*)\1")
CHOSEN_IN_SCRIPT = re.compile(r"'((?:page|main|error)\.[\w.-]+)'")
OF_THE_TEMPLATE = {"language", "direction", "texts", "page.NAME.title"}


def branches(message: Message) -> Iterator[Branches]:
    for part in message:
        if isinstance(part, Branches):
            yield part
            for inner in part.messages.values():
                yield from branches(inner)


def python_keys(path: Path) -> Iterator[str]:
    """Patterns of the keys that are looked up; what is only known later is a wildcard."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("text", "has"):
            for argument in node.args[:1]:
                yield from leaves(argument)


def phrase_keys(path: Path) -> Iterator[str]:
    """The keys of statements about health, which each are looked up twice: here, and by a page."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "phrase":
            for key in leaves(node.args[0]):
                yield re.escape(PREFIX) + key


def leaves(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(key)):
            yield re.escape(key)
        case ast.IfExp(body=one, orelse=other):
            yield from leaves(one)
            yield from leaves(other)
        case ast.JoinedStr(values=parts):
            yield "".join(
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"[\w.-]+"
                for part in parts
            )


def script_keys(path: Path) -> Iterator[str]:
    text = path.read_text()
    for _, key in IN_SCRIPT.findall(text):
        yield r"[\w.-]+".join(re.escape(part) for part in re.split(r"\$\{[^}]*\}", key))
    yield from (re.escape(key) for key in CHOSEN_IN_SCRIPT.findall(text))


def used() -> set[str]:
    found: set[str] = set()
    for path in BACKEND.rglob("*.py"):
        if "languages" in path.read_text():
            found |= set(python_keys(path)) | set(phrase_keys(path))
    for path in BRIDGE.rglob("*.ts"):
        found |= set(script_keys(path))
    pages = list((BRIDGE / "renderer").glob("*/*.html"))
    for path in pages:
        found |= {re.escape(key) for key in IN_HTML.findall(path.read_text())}
        found.add(re.escape(f"page.{path.stem}.title"))
    return found


USED = used()
PAGES = sorted(path.stem for path in (BRIDGE / "renderer").glob("*/*.html"))


@pytest.mark.parametrize("code", languages())
def test_a_catalogue_has_every_text_and_no_other(code: str) -> None:
    messages = read_catalogue(code).messages
    assert set(messages) == set(KEYS)
    assert [key for key, text in messages.items() if not text.strip()] == []
    assert list(messages) == list(KEYS), "in one order, so that they can be read side by side"


@pytest.mark.parametrize("code", languages())
def test_a_text_takes_the_same_values_in_every_language(code: str) -> None:
    messages = read_catalogue(code).messages
    names = {key: {name for name, _ in fields(parse(text))} for key, text in messages.items()}
    assert names == {key: {name for name, _ in fields(parse(text))} for key, text in KEYS.items()}


@pytest.mark.parametrize("code", languages())
def test_a_plural_has_the_forms_of_its_language(code: str) -> None:
    catalogue = read_catalogue(code)
    forms = {*catalogue.plurals, OTHER}
    for key, text in catalogue.messages.items():
        for choice in branches(parse(text)):
            if choice.kind == "plural":
                assert set(choice.messages) == forms, key


def test_every_text_that_is_looked_up_is_there() -> None:
    missing = [key for key in USED if not any(re.fullmatch(key, known) for known in KEYS)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_looks_up_only_the_texts_that_the_build_puts_into_it(page: str) -> None:
    scripts = [*(BRIDGE / "renderer" / page).glob("*.ts"), *(BRIDGE / page).rglob("*.ts")]
    html = (BRIDGE / "renderer" / page / f"{page}.html").read_text()
    keys = {key for path in scripts for key in script_keys(path)}
    keys |= {re.escape(key) for key in IN_HTML.findall(html)}
    own = (re.escape(f"page.{page}."), re.escape("page.unit."))
    assert [key for key in keys if not key.startswith(own)] == []


def test_every_text_is_looked_up_somewhere() -> None:
    assert [key for key in KEYS if not any(re.fullmatch(each, key) for each in USED)] == []


@pytest.mark.requirement("3.1")
@pytest.mark.parametrize("code", languages())
@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry.name)
def test_every_permission_has_its_words(entry: PermissionEntry, code: str) -> None:
    language = language_for(code)
    for part in ("title", "statement", "detail"):
        assert language.has(f"permission.{entry.name}.{part}")


def test_the_test_language_is_made_from_the_english_of_today() -> None:
    assert FILE.read_bytes() == catalogue_file(), "run: make schemas"


@pytest.mark.parametrize(
    ("locale", "code"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("de_CH.UTF-8", "de"),
        ("DE-Latn-DE", "de"),
        ("ar-XB", CODE),
        ("ar-xb", CODE),
        ("ar", "en"),
        ("fr-FR", "en"),
        ("C", "en"),
        ("", "en"),
        ("../../etc/passwd", "en"),
        ("d" * 10_000, "en"),
    ],
)
def test_a_person_gets_the_nearest_language_that_there_is(locale: str, code: str) -> None:
    assert negotiate(locale) == code
    assert language_for(locale).code == code


def test_what_is_not_for_people_is_english() -> None:
    assert english().code == "en"
    assert english().direction == "ltr"
    assert language_for(CODE).direction == "rtl"
