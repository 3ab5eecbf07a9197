"""A summary brings back a closed segment's index; one that does not fit is not believed."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence.log import message_log as log_module
from deskbus.persistence.log.message_log import MessageLog
from deskbus.persistence.log.segment import scan_file
from tests.unit.persistence.rig import NOW_MS, Disk, message, opened, read, seqs, write

MESSAGES = 40


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Closed segments with their summaries, and the newest, which has none."""
    monkeypatch.setattr(log_module, "SEGMENT_BYTES", 4000)
    log = opened(tmp_path)
    for seq in range(1, MESSAGES + 1):
        write(log, [message(f"t{seq % 3}", seq, NOW_MS + seq)])
    log.close()
    assert len(summaries(tmp_path)) == len(list(tmp_path.glob("*.seg"))) - 1 > 2
    return tmp_path


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The segments that are read when a log is opened."""
    paths: list[Path] = []

    def scan(path: Path, *, bodies: bool) -> object:
        paths.append(path)
        return scan_file(path, bodies=bodies)

    monkeypatch.setattr(log_module, "scan_file", scan)
    return paths


def summaries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.idx"))


def check(log: MessageLog) -> None:
    assert log.findings == []
    assert log.position == log.statistics().messages == MESSAGES
    assert log.last_seqs() == {"t0": 39, "t1": 40, "t2": 38}
    assert (log.statistics().oldest_ms, log.statistics().newest_ms) == (NOW_MS + 1, NOW_MS + 40)
    assert seqs(read(log)) == list(range(1, MESSAGES + 1))
    assert seqs(read(log, LogQuery(wants="t1".__eq__, to_ms=NOW_MS + 9))) == [1, 4, 7]
    log.close()


def test_a_start_reads_the_newest_segment_only(folder: Path, scanned: list[Path]) -> None:
    log = opened(folder)
    assert scanned == [max(folder.glob("*.seg"))]
    check(log)


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:9] + b"7" + path.read_bytes()[10:]),
        lambda path: path.write_bytes(b"\x00\x00\x00\x00"),
        lambda path: path.write_bytes(b"\xff" * 100),
        lambda path: path.write_bytes(summaries(path.parent)[1].read_bytes()),
    ],
)
def test_a_summary_that_does_not_fit_is_made_anew(
    folder: Path, scanned: list[Path], spoil: Callable[[Path], object]
) -> None:
    first = summaries(folder)[0]
    whole = first.read_bytes()
    spoil(first)
    log = opened(folder)
    assert scanned == [first.with_suffix(".seg"), max(folder.glob("*.seg"))]
    check(log)
    assert first.read_bytes() == whole


def test_read_only_makes_no_summary(folder: Path) -> None:
    summaries(folder)[0].unlink()
    log = MessageLog(folder, clock_ms=lambda: NOW_MS)
    log.open(read_only=True)
    assert not (folder / f"{0:020d}.idx").exists()
    check(log)


def test_a_segment_that_has_grown_since_is_scanned(folder: Path) -> None:
    newest = max(folder.glob("*.seg"))
    summary = newest.with_suffix(".idx")
    summary.write_bytes(summaries(folder)[0].read_bytes())
    log = opened(folder)
    assert not summary.exists()
    check(log)


def test_a_damaged_segment_is_reported_at_every_start(folder: Path) -> None:
    summaries(folder)[0].unlink()
    first = min(folder.glob("*.seg"))
    content = bytearray(first.read_bytes())
    content[10] ^= 1
    first.write_bytes(content)
    for _ in range(2):
        log = opened(folder)
        assert [finding.segment for finding in log.findings] == [first.name]
        assert seqs(read(log)) == list(range(2, MESSAGES + 1))
        log.close()


def test_a_summary_that_can_t_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "SEGMENT_BYTES", 4000)
    disk = Disk()
    disk.failing["remove"] = errno.EACCES
    log = opened(tmp_path, files=disk)
    for seq in range(1, MESSAGES + 1):
        write(log, [message(f"t{seq % 3}", seq, NOW_MS + seq)])
    assert summaries(tmp_path) == []
    check(log)
