"""The policy of pages from the disk, which no gateway stands before."""

from pathlib import Path

import pytest

from deskbus.web.pages.shell_pages import ShellPages
from deskbus_protocol.manifest import Manifest, WebSpec

pytestmark = pytest.mark.requirement("5.3")

APP = "com.example.ticker"


def directives(pages: ShellPages) -> dict[str, str]:
    policy = pages.headers_for(APP)["content-security-policy"]
    pairs = (directive.partition(" ") for directive in policy.split("; "))
    return {name: sources for name, _, sources in pairs}


def test_a_page_runs_files_that_lie_beside_it_and_nothing_that_stands_in_it() -> None:
    policy = directives(ShellPages())
    assert policy["script-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert not any("unsafe" in sources for sources in policy.values())


def test_an_apps_manifest_says_what_else_may_run_until_the_app_goes() -> None:
    pages = ShellPages()
    spec = WebSpec(scripts=["https://cdn.example.com"], trusted_types=["dompurify"])
    pages.declare(Manifest(id=APP, name="Ticker", web=spec), Path())
    assert directives(pages)["script-src"] == "'self' https://cdn.example.com"
    assert directives(pages)["trusted-types"] == "deskbus dompurify"
    pages.withdraw(APP)
    assert directives(pages) == directives(ShellPages())
