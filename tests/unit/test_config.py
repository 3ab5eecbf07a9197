"""The configuration file: references to secrets stand only where they are replaced."""

from pathlib import Path

import pytest

from deskbus.config import ConfigError, load
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
