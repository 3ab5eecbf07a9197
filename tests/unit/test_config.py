"""The configuration file: what is refused in it, and how that is told."""

import re
import sys
from pathlib import Path

import pytest
from msgspec import inspect

from deskbus.components.component_settings import check_apps
from deskbus.config import (
    Config,
    ConfigError,
    ConfigFile,
    default_data_dir,
    load,
    runtime_dir_for,
)
from deskbus_protocol.manifest import ProgramSpec

APP = '[[apps]]\nid = "desk.feed"\nname = "Feed"\n'


def file_with(folder: Path, text: str) -> Path:
    file = folder / "deskbus.toml"
    file.write_text(text)
    return file


@pytest.mark.requirement("3.3")
def test_an_apps_environment_takes_a_secret_of_the_vault(tmp_path: Path) -> None:
    process = '[apps.process]\nentry = "feed"\nenv = { KEY = "secret:broker" }\n'
    (app,) = load(file_with(tmp_path, APP + process)).apps
    assert isinstance(app.process, ProgramSpec)
    assert app.process.env == {"KEY": "secret:broker"}


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize(
    ("text", "place"),
    [
        (APP.replace("Feed", "secret:broker"), "apps.name"),
        (APP + '[apps.process]\nentry = "secret:feed"\n', "apps.process.entry"),
        (APP + '[apps.process]\nentry = "f"\nargs = ["secret:broker"]\n', "apps.process.args"),
        ('[persistence]\ntopics = ["secret:broker"]\n', "persistence.topics"),
    ],
)
def test_anywhere_else_a_secret_is_an_error_and_not_taken_literally(
    tmp_path: Path, text: str, place: str
) -> None:
    with pytest.raises(ConfigError, match=f"{place} can't be a secret"):
        load(file_with(tmp_path, text))


def problem(folder: Path, text: str) -> str:
    """The words for a person on the file, beginning with the line of the fault."""
    file = ConfigFile(file_with(folder, text))
    with pytest.raises(ConfigError) as found:
        check_apps(file, file.load())
    return str(found.value).removeprefix(f"{file.path}:")


SECOND = APP + "\n[[apps]]\n" + 'id = "desk.board"\nname = "Board"\n'


@pytest.mark.requirement("6.5")
@pytest.mark.parametrize(
    ("text", "line", "key", "cause", "action"),
    [
        (APP + "grnats = []\n", 4, "apps[0].grnats", "no such key", "Did you mean grants?"),
        ("[persistense]\n", 1, "persistense", "no such key", "persistence"),
        (SECOND + "limits = { memory = 3 }\n", 8, "apps[1].limits.memory", "no such key",
         "memory_mb"),
        (SECOND + '[[apps.windows]]\nurl = "x"\nwdth = 1\n', 10, "apps[1].windows[0].wdth",
         "no such key", "width"),
        (SECOND + "limits = { memory_mb = 'x' }\n", 8, "apps[1].limits.memory_mb", "int",
         "Correct"),
        ('[[apps]]\nid = "desk.feed"\n', 1, "apps[0]", "name is missing", "Add name"),
        (SECOND.replace("desk.board", "desk.feed"), 6, "apps[1].id",
         "two apps have the id desk.feed", "of its own"),
        (APP + 'grants = [\n  { permission = "messaging.read", scope = "a..b" },\n]\n', 5,
         "apps[0].grants[0].scope", "empty level", "levels"),
        (APP + 'declares = [{ permission = "network", scope = "nowhere" }]\n', 4,
         "apps[0].declares[0].scope", "origin", "."),
        (APP + 'grants = [{ permission = "messaging.red", scope = "a" }]\n', 4,
         "apps[0].grants[0].permission", "messaging.red", "messaging.read"),
        (APP + '[apps.process]\nkind = "python"\nentry = "feed.py"\n', 6, "apps[0].process.entry",
         "feed.py is not there", "folder of this file"),
        (APP + '[apps.process]\nentry = "no-such-program"\n', 5, "apps[0].process.entry",
         "on PATH", "./no-such-program"),
        (APP + '[[apps.windows]]\nurl = "a/index.html?x#y"\n', 5, "apps[0].windows[0].url",
         "index.html is not there", "folder of this file"),
        (APP + '[[apps.windows]]\nurl = "app.asar/index.html"\n', 5, "apps[0].windows[0].url",
         "inside app.asar", "asarUnpack"),
        ('[persistence]\ntopics = ["a.#"]\nsensitive = ["b.#"]\n', 3, "persistence.sensitive",
         "b.# is outside", "topics too"),
        (APP + '[apps.process]\nkind = "pyton"\nentry = "f"\n', 5, "apps[0].process.kind",
         "pyton is none", "Did you mean python?"),
        (APP + '[apps.process]\nkind = "ruby"\nentry = "f"\n', 5, "apps[0].process.kind",
         "ruby is none", "executable, node, python, utility"),
        (APP + '[[apps.windows]]\nurl = "http://a"\nbackground_color = "dark"\n', 6,
         "apps[0].windows[0].background_color", "right form", '"#0f1419"'),
        (APP.replace("desk.feed", "Desk Feed"), 2, "apps[0].id", "right form",
         '"com.example.ticker"'),
        ('[federation]\nname = "Desk A"\n', 2, "federation.name", "right form", '"desk-a"'),
        ('[federation]\nname = "a"\nservers = ["http://nats:4222"]\n', 3, "federation.servers[0]",
         "right form", '"nats://nats.example.com:4222"'),
        ("a = \n", 1, "", "not TOML", "Correct"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_key_cause_and_what_to_do(
    tmp_path: Path, text: str, line: int, key: str, cause: str, action: str
) -> None:
    (tmp_path / "app.asar").write_bytes(b"archive")
    told = problem(tmp_path, text)
    assert told.startswith(f"{line}: {key}")
    assert cause in told
    assert action in told


def test_a_configuration_inside_an_archive_says_where_it_belongs(tmp_path: Path) -> None:
    (tmp_path / "app.asar").write_bytes(b"archive")
    with pytest.raises(ConfigError, match=r"inside app\.asar.*extraResources"):
        load(tmp_path / "app.asar" / "deskbus.toml")


def test_files_that_are_there_are_found_where_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/a b.html").touch()
    (tmp_path / "feed.py").touch()
    text = APP + '[apps.process]\nkind = "python"\nentry = "feed.py"\n'
    text += '[[apps.windows]]\nurl = "pages/a b.html?one#two"\n'
    text += f'[[apps.windows]]\nname = "two"\nurl = "{(tmp_path / "pages/a b.html").as_uri()}?x"\n'
    text += '[[apps.windows]]\nname = "three"\nurl = "https://example.com/"\n'
    file = ConfigFile(file_with(tmp_path, text))
    check_apps(file, file.load())


@pytest.mark.requirement("3.2")
@pytest.mark.parametrize("app", ["deskbus", "deskbus.feed", "deskbus.developer"])
def test_no_app_has_an_id_of_the_shells_or_a_tools(tmp_path: Path, app: str) -> None:
    assert "is reserved" in problem(tmp_path, APP.replace("desk.feed", app))


def forms_of(kind: object, seen: set[type]) -> list[inspect.Type]:
    """Every text in a type that has to be of a form, with what its schema says beside."""
    if isinstance(kind, inspect.Metadata):
        inner = kind.type
        if isinstance(inner, inspect.StrType) and inner.pattern:
            return [kind]
        return forms_of(inner, seen)
    if isinstance(kind, inspect.StructType):
        if kind.cls in seen:
            return []
        seen.add(kind.cls)
        return [form for field in kind.fields for form in forms_of(field.type, seen)]
    if isinstance(kind, inspect.ListType):
        return forms_of(kind.item_type, seen)
    if isinstance(kind, inspect.UnionType):
        return [form for one in kind.types for form in forms_of(one, seen)]
    return [kind] if isinstance(kind, inspect.StrType) and kind.pattern else []


def test_every_text_of_a_form_has_an_example_of_it() -> None:
    forms = forms_of(inspect.type_info(Config), set())
    assert len(forms) > 4
    for form in forms:
        assert isinstance(form, inspect.Metadata), form
        assert isinstance(form.type, inspect.StrType)
        for example in (form.extra_json_schema or {})["examples"]:
            assert re.search(str(form.type.pattern), example)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other variables")
@pytest.mark.parametrize("named", ["", ".", "run", "./run"])
def test_a_base_folder_that_is_empty_or_relative_counts_as_unset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    for variable in ("XDG_RUNTIME_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable)
    unset = default_data_dir(), runtime_dir_for(tmp_path)
    for variable in ("XDG_RUNTIME_DIR", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, named)
    assert (default_data_dir(), runtime_dir_for(tmp_path)) == unset
    assert all(place.is_absolute() for place in unset)
