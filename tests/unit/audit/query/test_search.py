"""Finding records: by everything that the index knows, by text, in both orders, page by page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskbus.audit.query.index import AuditIndex
from deskbus.audit.query.search import AuditSearch
from deskbus.audit.store.audit_folder import INDEX
from deskbus.audit.store.maintenance import compress_closed
from deskbus_protocol.audit import AuditFilter, AuditOrder, AuditRecord
from deskbus_protocol.events import AppCrashed, Event, PermissionGranted, Violation
from tests.unit.audit.rig import Rig, event

TRACE = "0af7651916cd43dd8448eb211c80319c"


def mixed(count: int) -> list[Event]:
    made: list[Event] = []
    for at in range(count):
        app = f"com.example.app{at % 3}"
        if at % 5 == 0:
            made.append(AppCrashed(app=app, exit_code=-9))
        elif at % 2:
            made.append(
                Violation(app=app, kind="acl", target=f"topic.{at}", reason="Nicht für dich")
            )
        else:
            made.append(
                PermissionGranted(
                    app=app, permission="secrets", scope="own", holds="once", actor="person",
                    correlation_id=f"c-{at}", trace_id=TRACE if at % 4 == 0 else "",
                )
            )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditSearch]:
    """A log of 900 records in three files, of which one is compressed."""
    rig = Rig(tmp_path_factory.mktemp("query") / "audit")
    for run in range(3):
        chain_writer = rig.open().chain_writer
        for start in range(0, 300, 100):
            rig.write(chain_writer, mixed(300)[start : start + 100])
        rig.end(chain_writer)
        if run == 1:
            compress_closed(rig.folder, 2)
    index = AuditIndex(rig.path)
    assert index.catch_up() == 900
    yield AuditSearch(rig.path, index)
    index.close()


def everything(search: AuditSearch) -> list[AuditRecord]:
    return pages(search, AuditFilter(), "oldest", 1000)


@pytest.fixture
def records(search: AuditSearch) -> list[AuditRecord]:
    return everything(search)


def pages(
    search: AuditSearch, wanted: AuditFilter, order: AuditOrder, limit: int
) -> list[AuditRecord]:
    found: list[AuditRecord] = []
    cursor = None
    while True:
        page = search.find(wanted, order=order, limit=limit, cursor=cursor)
        assert len(page.records) <= limit
        found += page.records
        cursor = page.cursor
        if cursor is None:
            return found


def test_all_records_come_in_either_order(search: AuditSearch) -> None:
    oldest = [record.seq for record in everything(search)]
    assert oldest == list(range(900))
    newest = [record.seq for record in pages(search, AuditFilter(), "newest", 77)]
    assert newest == oldest[::-1]


filters = st.builds(
    AuditFilter,
    types=st.lists(
        st.sampled_from(["app.crashed", "violation", "permission.*", "nothing"]), max_size=2
    ),
    apps=st.lists(st.sampled_from(["com.example.app0", "com.example.app2", "none"]), max_size=2),
    actors=st.lists(st.sampled_from(["person", "system"]), max_size=1),
    decisions=st.lists(st.sampled_from(["allowed", "denied"]), max_size=1),
    severities=st.lists(st.sampled_from(["notice", "warning"]), max_size=2),
)


@pytest.mark.slow
@pytest.mark.requirement("8.5")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(wanted=filters, limit=st.integers(1, 200), order=st.sampled_from(["newest", "oldest"]))
def test_an_index_finds_what_reading_everything_finds(
    search: AuditSearch,
    records: list[AuditRecord],
    wanted: AuditFilter,
    limit: int,
    order: AuditOrder,
) -> None:
    def fits(record: AuditRecord) -> bool:
        return (
            (
                not wanted.types
                or record.type in wanted.types
                or ("permission.*" in wanted.types and record.type.startswith("permission."))
            )
            and (not wanted.apps or record.app in wanted.apps)
            and (not wanted.actors or record.actor in wanted.actors)
            and (not wanted.decisions or record.decision in wanted.decisions)
            and (not wanted.severities or record.severity in wanted.severities)
        )

    expected = [record for record in records if fits(record)]
    found = pages(search, wanted, order, limit)
    assert found == (expected if order == "oldest" else expected[::-1])


@pytest.mark.requirement("8.5")
def test_a_time_range_has_its_first_moment_and_not_its_last(search: AuditSearch) -> None:
    records = everything(search)
    since, until = records[250].time, records[420].time
    found = pages(search, AuditFilter(since=since, until=until), "oldest", 50)
    assert [record.seq for record in found] == list(range(250, 420))


def test_a_correlation_id_and_a_trace_id_find_their_records(search: AuditSearch) -> None:
    one = pages(search, AuditFilter(correlation_id="c-124"), "oldest", 10)
    assert [record.seq for record in one] == [124, 424, 724]
    traced = pages(search, AuditFilter(correlation_id=TRACE), "newest", 1000)
    assert len(traced) == len([r for r in everything(search) if r.trace_id == TRACE]) > 100
    assert pages(search, AuditFilter(correlation_id="c-9999"), "newest", 10) == []


@pytest.mark.parametrize(
    ("text", "count"), [("TOPIC.77", 3), ("nicht für", 360), ("für dich", 360), ("no such", 0)]
)
def test_a_text_is_found_in_any_case_and_outside_ascii(
    search: AuditSearch, text: str, count: int
) -> None:
    assert len(pages(search, AuditFilter(text=text), "newest", 100)) == count


def test_a_search_that_takes_long_pauses_and_tells_where(search: AuditSearch) -> None:
    page = search.find(
        AuditFilter(text="topic.1"), order="oldest", limit=100, cursor=None, within_s=0
    )
    assert page.records == []
    assert page.cursor == 0


def test_an_index_that_is_thrown_away_comes_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "audit")
    rig.run(300)
    index = AuditIndex(rig.path)
    assert index.catch_up() == 300
    index.close()
    place = rig.path / INDEX
    for broken in (b"", b"not a database, and rather longer than its header would be" * 10):
        place.write_bytes(broken)
        index = AuditIndex(rig.path)
        assert index.catch_up() == 300
        assert index.counts()
        index.close()
    place.unlink()
    index = AuditIndex(rig.path)
    assert index.catch_up() == 300
    index.close()


def test_an_index_of_another_log_is_noticed(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "audit")
    for _ in range(3):
        rig.run(4)
    index = AuditIndex(rig.path)
    index.catch_up()
    index.close()
    for file in rig.folder.files():
        file.path.unlink()
    rig.run(2)
    index = AuditIndex(rig.path)
    assert index.catch_up() == 2
    index.close()


def test_an_index_catches_up_with_what_is_written_meanwhile(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "audit")
    chain_writer = rig.open().chain_writer
    index = AuditIndex(rig.path)
    for number in range(1, 6):
        rig.write(chain_writer, [event(number, at) for at in range(30)])
        assert index.catch_up() == 30 * number
    rig.end(chain_writer)
    search = AuditSearch(rig.path, index)
    assert [record.seq for record in everything(search)] == list(range(150))
    index.close()


def test_what_an_intruder_wrote_behind_the_end_is_not_found(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "audit")
    rig.run(3)
    path = rig.folder.files()[0].path
    lines = path.read_bytes().splitlines()
    path.chmod(0o600)
    forged = lines[-2].replace(b'"seq":2', b'"seq":3').replace(b"com.example", b"com.invented")
    path.write_bytes(path.read_bytes() + forged + b"\n")
    index = AuditIndex(rig.path)
    assert index.catch_up() == 3
    rig.run(2)
    assert index.catch_up() == 5
    apps = {record.app for record in everything(AuditSearch(rig.path, index))}
    assert not any("invented" in app for app in apps)
    index.close()
