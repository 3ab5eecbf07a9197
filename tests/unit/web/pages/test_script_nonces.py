"""Nonces go to scripts of allowed sources, and to nothing else in a page."""

import pytest

from deskbus.web.pages.script_nonces import with_nonces

OWN = "http://app.localhost:1"
CDN = "https://cdn.example.com"
ADDRESS = f"{OWN}/folder/page.html"


def nonced(page: str, first: str = "") -> str:
    return with_nonces(page, "N", ADDRESS, {OWN, CDN}.__contains__, first)


@pytest.mark.parametrize(
    "source",
    ["a.js", "./a.js", "../a.js", "/a.js", f"{OWN}/a.js", f"{CDN}/a.js", "//app.localhost:1/a.js"],
)
def test_a_script_of_an_allowed_source_gets_the_nonce(source: str) -> None:
    page = f'<p>\n</p><script defer src="{source}"></script>'
    assert nonced(page) == page.replace("<script", '<script nonce="N"')


@pytest.mark.parametrize(
    "tag",
    [
        "<script>alert(1)</script>",
        '<script nonce="N0">alert(1)</script>',
        '<script src="https://evil.example/a.js"></script>',
        '<script src="//evil.example/a.js"></script>',
        '<script src="data:text/javascript,alert(1)"></script>',
        '<script src="javascript:alert(1)"></script>',
        '<script src="https://cdn.example.com.evil.example/a.js"></script>',
        '<script src="https://cdn.example.com@evil.example/a.js"></script>',
        '<script src="https://evil.example/a.js" src="a.js"></script>',
        "<img src=x onerror=alert(1)>",
        '<!-- <script src="a.js"></script> -->',
        '<a href="javascript:alert(1)">x</a>',
    ],
)
@pytest.mark.requirement("5.3")
def test_nothing_else_gets_it(tag: str) -> None:
    page = f"<!doctype html><title>x</title>{tag}"
    assert nonced(page) == page


def test_our_nonce_comes_before_one_that_the_page_has() -> None:
    assert nonced('<script nonce="old" src="a.js"></script>').startswith('<script nonce="N" nonce=')


def test_what_goes_first_stands_before_every_script_of_the_page() -> None:
    page = '<!doctype html><html>\n<head><meta charset="utf-8"><script src="a.js"></script>'
    made = nonced(page, "<first>")
    assert made.index("<first>") < made.index("<script")
    assert made.index('<meta charset="utf-8">') < made.index("<first>")


def test_a_page_without_tags_has_it_as_well() -> None:
    assert nonced("text", "<first>") == "<first>text"


def test_lines_end_at_newlines_alone() -> None:
    page = '<p>\r\v\f\x85\u2028</p>\n<script src="a.js"></script>'
    assert nonced(page) == page.replace("<script", '<script nonce="N"')
