"""Identity of a page in a browser as an app, by its address (FDC3 2.2, Validating app identity)."""

import pytest

from deskbus.fdc3.browser.page_identity import is_consistent, origin_of, record_of_page
from deskbus.fdc3.directory.app_record import AppRecord, Details

pytestmark = pytest.mark.requirement("F")


def record(url: str) -> AppRecord:
    return AppRecord(app_id=url, name=url, details=Details(url=url))


@pytest.mark.parametrize(
    ("wanted", "page"),
    [
        ("https://a.example/chart", "https://a.example/chart"),
        ("https://a.example/chart/", "https://a.example/chart?x=1#there"),
        ("https://a.example", "https://a.example/anything/below"),
        ("https://a.example/chart?mode=big", "https://a.example/chart?x=1&mode=big"),
        ("https://a.example/chart#one", "https://a.example/chart#one"),
        ("https://A.example:443/chart", "https://a.example/chart"),
    ],
)
def test_a_page_with_every_part_of_the_records_url_is_that_app(wanted: str, page: str) -> None:
    assert record_of_page([record(wanted)], page) is not None


@pytest.mark.parametrize(
    ("wanted", "page"),
    [
        ("https://a.example/chart", "http://a.example/chart"),
        ("https://a.example/chart", "https://a.example:8443/chart"),
        ("https://a.example/chart", "https://a.example.evil.example/chart"),
        ("https://a.example/chart", "https://a.example/chart/other"),
        ("https://a.example/chart?mode=big", "https://a.example/chart?mode=small"),
        ("https://a.example/chart#one", "https://a.example/chart#two"),
        ("https://a.example/chart", "https://me@a.example/chart"),
        ("https://a.example/chart", "javascript:alert(1)"),
        ("https://a.example/chart", "https://[a.example/chart"),
        ("file:///chart", "file:///chart"),
    ],
)
def test_a_page_without_one_of_its_parts_is_not(wanted: str, page: str) -> None:
    assert record_of_page([record(wanted)], page) is None


def test_of_several_records_the_one_with_most_parts_counts() -> None:
    records = [
        record("https://a.example"),
        record("https://a.example/chart"),
        record("https://a.example/chart?mode=big"),
        record("https://a.example/chart?mode=small"),
    ]
    found = record_of_page(records, "https://a.example/chart?mode=big&x=1")
    assert found is records[2]


def test_both_addresses_have_to_be_of_the_origin_that_the_browser_named() -> None:
    own = "https://a.example"
    assert is_consistent(own, "https://a.example/x", "https://a.example/y")
    assert not is_consistent(own, "https://a.example/x", "https://b.example/y")
    assert not is_consistent("null", "https://a.example/x", "https://a.example/y")
    assert not is_consistent("", "about:blank", "about:blank")


def test_origins_are_as_browsers_write_them() -> None:
    assert origin_of("HTTPS://A.Example:443/x") == "https://a.example"
    assert origin_of("http://[::1]:8080/") == "http://[::1]:8080"
    assert origin_of("http://a.example:99999/") is None
