"""Where a request comes from, by what a browser says of it."""

import pytest

from deskbus.web.origins.request_origin import is_foreign_embedding, source_of

OWN = "http://app.localhost:7000"
OUTSIDE = "https://desk.example.com"


@pytest.mark.parametrize(
    ("headers", "source"),
    [
        ({}, "program"),
        ({"cookie": "a=b"}, "foreign"),
        ({"sec-fetch-site": "same-origin"}, "own"),
        ({"sec-fetch-site": "none"}, "own"),
        ({"sec-fetch-site": "same-origin", "origin": OWN}, "own"),
        ({"sec-fetch-site": "same-origin", "origin": "http://app.localhost:7001"}, "foreign"),
        ({"sec-fetch-site": "same-site", "origin": "http://app.localhost:7001"}, "foreign"),
        ({"sec-fetch-site": "same-site"}, "foreign"),
        ({"sec-fetch-site": "cross-site", "origin": OUTSIDE}, "outside"),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, "foreign"),
        ({"sec-fetch-site": "cross-site", "origin": "null"}, "foreign"),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, "foreign"),
        ({"sec-fetch-site": "invented"}, "foreign"),
        ({"origin": OWN}, "own"),
        ({"origin": OWN.upper()}, "foreign"),
        ({"origin": "http://app.localhost.:7000"}, "foreign"),
        ({"origin": "http://user@app.localhost:7000"}, "foreign"),
        ({"origin": "http://app.localhost:70000"}, "foreign"),
        ({"origin": "https://desk.example.com.evil.example"}, "foreign"),
        ({"origin": "https://evildesk.example.com"}, "foreign"),
        ({"origin": "https://desk.example.com:443"}, "foreign"),
        ({"origin": "http://desk.example.com"}, "foreign"),
        ({"origin": "https://d\u0435sk.example.com"}, "foreign"),
        ({"origin": ""}, "foreign"),
        ({"referer": f"{OWN}/page.html"}, "own"),
        ({"referer": "http://evil.example/http://app.localhost:7000/"}, "foreign"),
        ({"referer": "about:blank"}, "foreign"),
        ({"origin": "https://evil.example", "referer": f"{OWN}/"}, "foreign"),
        ({"sec-fetch-site": "cross-site", "referer": f"{OWN}/"}, "foreign"),
    ],
)
@pytest.mark.requirement("5.4")
def test_a_request_is_judged_by_the_browsers_own_words(
    headers: dict[str, str], source: str
) -> None:
    assert source_of(headers, OWN, {OUTSIDE}) == source


@pytest.mark.parametrize(
    ("site", "mode", "dest", "embeds"),
    [
        ("cross-site", "navigate", "document", False),
        ("cross-site", "navigate", "iframe", True),
        ("cross-site", "no-cors", "image", True),
        ("same-site", "cors", "empty", True),
        ("same-origin", "no-cors", "script", False),
        ("none", "navigate", "document", False),
    ],
)
def test_going_somewhere_is_no_embedding(site: str, mode: str, dest: str, embeds: bool) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    assert is_foreign_embedding(headers) == embeds
