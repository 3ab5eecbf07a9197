"""Sites: labels of apps, and the hosts and origins that are known."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from deskbus.config import OutsideOrigin, WebConfig
from deskbus.web.origins.sites import Sites, label_of, named_origin
from deskbus_protocol.manifest import Manifest, WebSpec, WindowSpec

IDS = st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z][a-z0-9-]{0,20}){0,5}", fullmatch=True)


@given(IDS, IDS)
def test_a_label_is_a_dns_label_and_another_for_each_app(one: str, other: str) -> None:
    label = label_of(one)
    assert 1 <= len(label) <= 63
    assert label.strip("-") == label
    assert set(label) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert (label == label_of(other)) == (one == other)


def manifest(app: str, url: str = "index.html", origins: list[str] | None = None) -> Manifest:
    return Manifest(
        id=app, name=app, windows=[WindowSpec(url=url)], web=WebSpec(origins=origins or [])
    )


def test_an_app_without_a_page_of_its_own_has_no_site() -> None:
    sites = Sites(WebConfig(), 7000, [(manifest("a.b", "https://example.com/"), Path("/x"))])
    assert list(sites) == []


def test_hosts_are_compared_exactly() -> None:
    sites = Sites(WebConfig(), 7000, [(manifest("a.b"), Path("/x"))])
    (site,) = sites
    assert sites.at(site.authority) == site
    host = site.authority.removesuffix(":7000")
    for wrong in (host, f"{host}.:7000", f"{host}:7001", site.authority.upper(), f"x.{host}:7000"):
        assert sites.at(wrong) is None
        assert not sites.is_ours(wrong)
    assert sites.is_ours("localhost:7000")
    assert not sites.is_ours("localhost")


def test_origins_from_elsewhere_are_those_of_configuration_and_manifest() -> None:
    config = WebConfig(origins=[OutsideOrigin(origin="https://one.example", app="a.b")])
    app = manifest("a.b", origins=["https://two.example", "http://127.1", "https://three.example"])
    (site,) = Sites(config, 7000, [(app, Path("/x"))])
    # A browser writes 127.0.0.1, so the short form is nobody's origin.
    assert site.outside == {"https://one.example", "https://two.example", "https://three.example"}
    assert site.admits("https://one.example")
    assert not site.admits("https://one.example:8443")


def test_an_app_that_goes_takes_its_site_along() -> None:
    sites = Sites(WebConfig(), 7000, [(manifest("a.b"), Path("/x"))])
    (site,) = sites
    sites.remove("a.b")
    assert not sites.is_ours(site.authority)
    sites.remove("a.b")


def test_an_origin_is_known_in_a_browsers_spelling_alone() -> None:
    assert named_origin("https://example.com") == "https://example.com"
    for wrong in (
        "null",
        "",
        "https://EXAMPLE.com",
        "https://example.com:443",
        "https://example.com/",
        "https://user@example.com",
        "https://example.com.",
        "http://127.1",
        "http://0x7f000001",
        "https://\u0435xample.com",
        "https://*.example.com",
        "file://",
    ):
        assert named_origin(wrong) == "", wrong
