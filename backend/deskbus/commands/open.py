"""`deskbus open`: opens an app in an ordinary browser, which is let in by that."""

import html
import os
import secrets
import webbrowser
from argparse import Namespace
from pathlib import Path

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus.config import runtime_dir_for
from deskbus_protocol.client import Client
from deskbus_protocol.web import PairBrowserResult

FILES = "open-*.html"

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<title>{app}</title>
<form method="post" action="{url}">
<input type="hidden" name="code" value="{code}">
<button>Open {app}</button>
</form>
<script>document.forms[0].submit()</script>
</html>
"""
"""A form, since a code in an address would stand in the browser's history."""


def run(options: Namespace) -> int:
    """Raises `OSError` where the page can't be written."""

    async def open_it(client: Client) -> None:
        made = await client.call("web.pair", {"app": options.app}, result=PairBrowserResult)
        page = write_page(runtime_dir_for(options.data_dir), options.app, made)
        address = page.as_uri()
        shown = not options.print and webbrowser.open(address)
        if not shown:
            output.tell(f"Open this file in a browser within {made.expires_in // 1000} s.")
        output.emit({"app": options.app, "page": address, "opened": shown})

    return run_with_client(options, open_it)


def write_page(folder: Path, app: str, made: PairBrowserResult) -> Path:
    """A page that posts the code, readable by this user alone; earlier ones are removed."""
    for earlier in folder.glob(FILES):
        earlier.unlink(missing_ok=True)
    text = PAGE.format(app=html.escape(app), url=html.escape(made.url), code=html.escape(made.code))
    page = folder / FILES.replace("*", secrets.token_hex(8))
    descriptor = os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return page
