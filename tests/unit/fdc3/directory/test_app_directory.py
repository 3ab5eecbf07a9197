import hashlib
import json
from http.client import BadStatusLine, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.error import URLError

import msgspec
import pytest

from deskbus.components.fdc3.directory_apps import directory_app, says
from deskbus.fdc3.directory.app_directory import AppDirectory, own_id
from deskbus.fdc3.directory.app_record import AppRecord
from deskbus.fdc3.directory.sources import MAX_REASON, DirectorySources, SourceError, fetch
from deskbus_protocol.permissions import Grant


def record(app_id: str, **more: Any) -> AppRecord:
    return msgspec.convert({"appId": app_id, "name": "A", "type": "web", **more}, AppRecord)


CHART = {
    "details": {"url": "https://chart.example.com/"},
    "interop": {
        "intents": {
            "listensFor": {"ViewChart": {"contexts": ["fdc3.instrument"]}},
            "raises": {"ViewNews": ["fdc3.instrument"]},
        },
        "userChannels": {"broadcasts": ["fdc3.chart"], "listensFor": ["fdc3.instrument"]},
        "appChannels": [{"id": "own", "broadcasts": ["x.y"]}],
    },
}


@pytest.mark.parametrize(
    ("app_id", "expected"),
    [("com.example.chart", "com.example.chart"), ("chart", "chart")],
)
def test_an_id_that_fits_is_kept(app_id: str, expected: str) -> None:
    assert own_id(record(app_id)) == expected


@pytest.mark.parametrize(
    "app_id", ["IntentAppAId", "chart@example.com", "ä", "deskbus.shell", "7", "x" * 200]
)
def test_an_id_that_does_not_fit_is_replaced_by_one_that_meets_no_other(app_id: str) -> None:
    made = own_id(record(app_id))
    assert made.startswith("appd.")
    assert made != own_id(record(app_id.upper() + "x"))
    msgspec.convert(made, type=str)


def test_the_first_record_of_an_id_counts() -> None:
    directory = AppDirectory([record("a", title="one"), record("a", title="two")])
    found = directory.record("a")
    assert found is not None
    assert found.title == "one"
    assert len(directory) == 1


def test_no_record_takes_another_ones_place_on_the_bus() -> None:
    taken = {"hostManifests": {"deskbus": {"app": "chart"}}}
    directory = AppDirectory([record("chart"), record("thief", **taken)])
    assert directory.record("thief") is None
    assert directory.app_id_of("chart") == "chart"


def test_a_record_gives_nothing_by_itself() -> None:
    app = directory_app(record("chart", **CHART), "ask", ["news"], local=True)
    assert app.grants == []
    assert Grant("fdc3.context.read", "#") in app.manifest.declares
    assert Grant("process.launch", "news") in app.manifest.declares


def test_where_the_directory_decides_an_app_has_what_its_record_says() -> None:
    app = directory_app(record("chart", **CHART), "directory", [], local=True)
    assert app.grants == says(record("chart", **CHART))
    assert set(app.grants) == {
        Grant("fdc3.raise", "ViewNews.fdc3.instrument"),
        Grant("fdc3.handle", "ViewChart.fdc3.instrument"),
        Grant("fdc3.context.write", "*.fdc3.chart"),
        Grant("fdc3.context.read", "*.fdc3.instrument"),
        Grant("fdc3.context.write", "own.x.y"),
    }


def test_where_all_is_allowed_an_app_has_all() -> None:
    app = directory_app(record("chart"), "allow", ["news"], local=True)
    assert Grant("fdc3.raise", "#") in app.grants
    assert Grant("process.launch", "news") in app.grants


def test_a_program_is_started_only_for_a_record_of_this_machine() -> None:
    native = {"type": "native", "details": {"path": "/usr/bin/true"}}
    assert directory_app(record("a", **native), "allow", [], local=True).can_run
    assert not directory_app(record("a", **native), "allow", [], local=False).can_run
    script = {"details": {"url": "javascript:alert(1)"}}
    assert not directory_app(record("a", **script), "allow", [], local=True).can_run


def sources(tmp_path: Path, *names: str) -> DirectorySources:
    return DirectorySources(names, tmp_path, tmp_path / "cache")


def test_files_and_folders_are_read_in_order(tmp_path: Path) -> None:
    one = {"appId": "a", "name": "a", "type": "web"}
    (tmp_path / "one.json").write_text(json.dumps(one))
    folder = tmp_path / "more"
    folder.mkdir()
    for name in ("z", "b"):
        (folder / f"{name}.json").write_text(json.dumps({"applications": [{**one, "appId": name}]}))
    found = sources(tmp_path, "one.json", "more").load()
    assert [each.record.app_id for each in found] == ["a", "b", "z"]
    assert all(each.local for each in found)


def test_what_is_wrong_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(
        json.dumps([{"appId": "a", "name": "a", "type": "web"}, {"name": 3}, "text"])
    )
    (tmp_path / "bad.json").write_text("{")
    reader = sources(tmp_path, "none.json", "bad.json", "one.json", "http://example.com/apps")
    assert [each.record.app_id for each in reader.load()] == ["a"]
    assert set(reader.problems) == {
        "none.json", "bad.json", "one.json", "http://example.com/apps",
    }  # fmt: skip


def test_a_directory_that_does_not_answer_is_taken_from_its_last_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps({"applications": [{"appId": "a", "name": "a", "type": "web"}]}).encode()
    address = "https://appd.example.com/v2/apps"

    def answers(_: str) -> bytes:
        return text

    def is_away(_: str) -> bytes:
        raise OSError("it is away")

    monkeypatch.setattr("deskbus.fdc3.directory.sources.fetch", answers)
    reader = sources(tmp_path, address)
    assert [each.local for each in reader.load()] == [False]
    assert reader.problems == {}
    monkeypatch.setattr("deskbus.fdc3.directory.sources.fetch", is_away)
    assert [each.record.app_id for each in reader.load()] == ["a"]
    assert "last copy" in reader.problems[address]
    assert sources(tmp_path, "https://other.example.com/").load() == []


BAD_ADDRESSES = [
    "https://appd.example.com/all apps",
    "https://appd example.com/",
    "https://appd.example.com:port/",
    "https://[::1/",
    "https://appd.example.com/\N{SNOWMAN}",
]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_an_address_that_can_be_none_is_a_problem_of_its_source(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises(SourceError):
        fetch(address)
    reader = sources(tmp_path, address)
    assert reader.load() == []
    assert set(reader.problems) == {address}
    copy = tmp_path / "cache" / f"{hashlib.sha256(address.encode()).hexdigest()}.json"
    copy.parent.mkdir()
    copy.write_text('{"appId": "a", "name": "a", "type": "web"}')
    assert [each.record.app_id for each in reader.load()] == ["a"]
    assert "last copy" in reader.problems[address]


@pytest.mark.parametrize(
    "error", [BadStatusLine("x" * 10_000), IncompleteRead(b"half"), URLError("it is away")]
)
def test_a_server_that_speaks_no_http_is_a_problem_of_its_source(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Opener:
        def open(self, *_: object, **__: object) -> None:
            raise error

    monkeypatch.setattr("urllib.request.build_opener", lambda *_: Opener())
    with pytest.raises(SourceError) as told:
        fetch("https://appd.example.com/")
    assert len(str(told.value)) <= MAX_REASON


def test_an_app_is_for_the_versions_that_its_record_lists_and_else_for_all() -> None:
    newer = record("a", hostManifests={"deskbus": {"fdc3Versions": ["3.0"]}})
    assert newer.speaks("3.0")
    assert not newer.speaks("2.2")
    for silent in (record("b"), record("c", hostManifests={"deskbus": {"fdc3Versions": "3.0"}})):
        assert silent.speaks("2.2")
