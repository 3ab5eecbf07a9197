"""A browser's reports, in both formats."""

import json

import pytest

from deskbus.web.pages.violation_reports import MAX_CHARACTERS, MAX_REPORTS, read

OLD = {"document-uri": "http://a/p?token=1", "effective-directive": "script-src-elem"}
NEW = {"documentURL": "http://a/p#x", "effectiveDirective": "img-src", "blockedURL": "inline"}


def test_the_old_format_has_one_report() -> None:
    body = json.dumps({"csp-report": {**OLD, "blocked-uri": "inline", "more": [1]}}).encode()
    (event,) = read("application/csp-report", body, "a.page") or []
    assert (event.app, event.directive, event.blocked) == ("a.page", "script-src-elem", "inline")
    assert event.document == "http://a/p"


def test_the_new_format_has_several_of_which_those_about_a_policy_count() -> None:
    reports = [{"type": "csp-violation", "body": NEW}, {"type": "deprecation", "body": {"id": 1}}]
    (event,) = read("application/reports+json", json.dumps(reports).encode(), "") or []
    assert (event.directive, event.blocked, event.document) == ("img-src", "inline", "http://a/p")


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/csp-report", b"{}"),
        ("application/csp-report", b'{"csp-report": []}'),
        ("application/csp-report", b'{"csp-report": {"blocked-uri": 5}}'),
        ("application/reports+json", b"{}"),
        ("application/reports+json", b'[{"type": "csp-violation", "body": 5}]'),
        ("application/reports+json", b"[" * 100_000),
        ("application/json", b'{"csp-report": {}}'),
        ("application/csp-report", b"\xff"),
    ],
)
def test_what_is_no_report_is_none(media_type: str, body: bytes) -> None:
    assert read(media_type, body, "") is None


def test_reports_are_bounded_and_show_what_they_hide() -> None:
    long = {**NEW, "blockedURL": "x\u202e\n" + "y" * 5000}
    reports = [{"type": "csp-violation", "body": long}] * 100
    events = read("application/reports+json", json.dumps(reports).encode(), "") or []
    assert len(events) == MAX_REPORTS
    assert events[0].blocked.startswith("x\\u{202e}\\u{a}y")
    assert len(events[0].blocked) <= MAX_CHARACTERS + 20
