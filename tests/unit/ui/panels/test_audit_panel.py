"""The audit panel: filters, pages, a verdict in words, and exports."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec import UNSET, structs

from deskbus.ui.panels.audit_panel import PAGE_ROWS, AuditPanel
from deskbus_protocol.audit import (
    AuditExportParams,
    AuditExportResult,
    AuditFilter,
    AuditFinding,
    AuditFormat,
    AuditHeadResult,
    AuditPage,
    AuditQueryParams,
    AuditRecord,
    AuditStats,
    AuditVerdict,
)
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.panels import PanelContent, PanelQuery

NOW_MS = 1_800_000_000_000
OK = AuditVerdict(verdict="OK", records=2, first=0, size=2, key="k", anchor="the keychain")


class Log:
    """An audit log of two records."""

    def __init__(self) -> None:
        self.asked: list[AuditQueryParams] = []
        self.exported: list[tuple[Path, AuditFilter, AuditFormat]] = []
        self.verdict = OK
        self.cursor: int | None = None
        self.seen_while_verifying: list[PanelContent] = []
        self.while_verifying: Callable[[], None] = lambda: None

    async def query(self, params: AuditQueryParams) -> AuditPage:
        self.asked.append(params)
        denied = AuditRecord(
            seq=1, time=5, mono=1, boot="run", type="permission.denied", severity="warning",
            decision="denied", app="ticker\u202e", actor="person", correlation_id="c-1",
            details={"permission": "secrets", "scope": "own"},
        )  # fmt: skip
        minted = AuditRecord(
            seq=0, time=4, mono=0, boot="run", type="auth.minted", severity="info", app="ticker"
        )
        cursor = UNSET if self.cursor is None else self.cursor
        return AuditPage(records=[denied, minted], total=2, cursor=cursor)

    async def stats(self) -> AuditStats:
        return AuditStats(
            records=2, pruned=7, files=1, bytes=2_500_000, state="ok", detail="2 records",
            by_type={"auth.minted": 1}, by_app={"ticker": 2}, by_decision={}, by_severity={},
        )  # fmt: skip

    async def head(self) -> AuditHeadResult:
        return AuditHeadResult(checkpoint="a note\n", key="k", size=2)

    async def export(self, params: AuditExportParams, who: ClientId) -> AuditExportResult:
        raise AssertionError("the panel writes files")

    async def verify(
        self, against: Sequence[str], progress: Callable[[int, int], None], who: ClientId
    ) -> AuditVerdict:
        progress(1, 2)
        self.while_verifying()
        return self.verdict

    async def export_to(
        self, path: Path, wanted: AuditFilter, form: AuditFormat, who: ClientId
    ) -> int:
        self.exported.append((path, wanted, form))
        return 2


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def drawn() -> list[None]:
    return []


@pytest.fixture
def panel(log: Log, drawn: list[None]) -> AuditPanel:
    return AuditPanel(log, on_changed=lambda: drawn.append(None), clock_ms=lambda: NOW_MS)


@pytest.mark.requirement("3.5")
async def test_records_are_shown_newest_first_and_nothing_hides_in_them(panel: AuditPanel) -> None:
    content = await panel.describe(PanelQuery())
    newest = content.rows[0]
    assert [cell.text for cell in newest.cells[1:]] == [
        "permission.denied", "ticker\\u{202e}", "Denied", "secrets, own",
    ]  # fmt: skip
    assert newest.cells[0].time == 5
    facts = {fact.label: fact.text for fact in newest.details}
    assert (facts["Sequence"], facts["Correlation id"]) == ("1", "c-1")
    assert facts["Decided by"] == "A person"
    assert content.summary == "2 records shown, 2 in the log"
    assert [fact.text for fact in content.facts] == ["1 file, 2.5 MB", "7 records", "2 records"]


@pytest.mark.requirement("8.5")
async def test_filters_search_and_page_become_a_query(panel: AuditPanel, log: Log) -> None:
    log.cursor = 40
    content = await panel.describe(
        PanelQuery(
            search="prices",
            filters={
                "type": "permission.*",
                "app": "ticker",
                "decision": "denied",
                "severity": "warning",
                "period": "24",
                "correlation": "c-1",
            },
            cursor="140",
        )
    )
    assert log.asked[:1] == [
        AuditQueryParams(
            types=["permission.*"],
            apps=["ticker"],
            decisions=["denied"],
            severities=["warning"],
            since=NOW_MS - 86_400_000,
            correlation_id="c-1",
            text="prices",
            limit=PAGE_ROWS,
            cursor=140,
        )
    ]
    assert (content.next, content.previous) == ("40", "")
    assert {one.id: one.value for one in content.filters}["app"] == "ticker"


async def test_senseless_filters_narrow_nothing(panel: AuditPanel, log: Log) -> None:
    await panel.describe(
        PanelQuery(filters={"type": "x", "decision": "maybe", "period": "-1"}, cursor="x")
    )
    assert log.asked == [AuditQueryParams(limit=PAGE_ROWS)]


@pytest.mark.parametrize(
    ("verdict", "text", "tone"),
    [
        (OK, "OK: all 2 records are there, as they were written.", "good"),
        (
            structs.replace(OK, verdict="TAMPERED", reason="a record was changed", file="f", seq=3),
            "TAMPERED: the log was changed from outside.",
            "bad",
        ),
        (
            structs.replace(OK, verdict="UNANCHORED", reason="no keychain", action="Set one up"),
            "UNANCHORED: 2 records fit, the end is not proven.",
            "caution",
        ),
    ],
)
async def test_verifying_shows_progress_and_then_the_verdict(
    panel: AuditPanel, log: Log, drawn: list[None], verdict: AuditVerdict, text: str, tone: str
) -> None:
    before = (await panel.describe(PanelQuery())).verdict
    assert before is not UNSET
    assert before.text == "Not verified since the start."
    log.verdict = verdict
    shown: list[object] = []
    log.while_verifying = lambda: shown.append(panel._say().progress)
    assert await panel.act("verify", None, None) == ""
    assert shown == [0.5]
    assert len(drawn) >= 2
    after = (await panel.describe(PanelQuery())).verdict
    assert after is not UNSET
    assert (after.text, after.tone) == (text, tone)


async def test_findings_are_told_beside_an_ok(panel: AuditPanel, log: Log) -> None:
    finding = AuditFinding(kind="clock", file="f", seq=1, text="set back")
    log.verdict = structs.replace(OK, findings=[finding])
    await panel.act("verify", None, None)
    said = (await panel.describe(PanelQuery())).verdict
    assert said is not UNSET
    assert "1 remark:" in str(said.detail)


async def test_what_is_shown_is_what_is_exported(
    panel: AuditPanel, log: Log, tmp_path: Path
) -> None:
    await panel.describe(PanelQuery(filters={"app": "ticker"}))
    said = await panel.act("csv", None, tmp_path / "out.csv")
    assert said == "2 records, with a proof beside the file."
    assert log.exported == [(tmp_path / "out.csv", AuditFilter(apps=["ticker"]), "csv")]
    await panel.act("head", None, tmp_path / "head.txt")
    assert (tmp_path / "head.txt").read_text() == "a note\n"


async def test_new_records_come_by_themselves_only_where_that_is_wanted(
    panel: AuditPanel, drawn: list[None]
) -> None:
    for query, draws in (
        (PanelQuery(), 0),
        (PanelQuery(live=True, cursor="5"), 0),
        (PanelQuery(live=True), 1),
    ):
        await panel.describe(query)
        drawn.clear()
        panel.appended()
        assert len(drawn) == draws


async def test_the_panel_is_in_the_language_of_whoever_looks(panel: AuditPanel) -> None:
    content = await panel.describe(PanelQuery(locale="de"))
    assert content.title == "Prüfprotokoll"
    assert content.summary == "2 Einträge gezeigt, 2 im Protokoll"
    assert content.rows[0].cells[3].text == "Abgelehnt"
