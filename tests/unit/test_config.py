"""The configuration file: what is refused in it, and how that is told."""

from pathlib import Path

import pytest

from deskbus.config import ConfigError, ConfigFile, load
from deskbus.plans import check_apps
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
    """What a person is told of the file, beginning with the line that it is in."""
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
         "feed.py is not there", "own folder"),
        (APP + '[apps.process]\nentry = "no-such-program"\n', 5, "apps[0].process.entry",
         "on PATH", "./no-such-program"),
        (APP + '[[apps.windows]]\nurl = "a/index.html?x#y"\n', 5, "apps[0].windows[0].url",
         "index.html is not there", "own folder"),
        (APP + '[[apps.windows]]\nurl = "app.asar/index.html"\n', 5, "apps[0].windows[0].url",
         "inside app.asar", "asarUnpack"),
        ('[persistence]\ntopics = ["a.#"]\nsensitive = ["b.#"]\n', 3, "persistence.sensitive",
         "b.# is outside", "topics too"),
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
