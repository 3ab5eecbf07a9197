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
<input type="hidden" name="page" value="{page}">
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
        show(options, options.app, made)

    return run_with_client(options, open_it)


def show(options: Namespace, app: str, made: PairBrowserResult, page: str = "") -> None:
    """Opens a browser that is let in by `made`, or tells where the file is that does it.

    `page` is what the app's page is to show. Raises `OSError`.
    """
    file = write_page(runtime_dir_for(options.data_dir), app, made, page)
    address = file.as_uri()
    shown = not options.print and webbrowser.open(address)
    if not shown:
        output.tell(f"Open this file in a browser within {made.expires_in // 1000} s.")
    output.emit({"app": app, "page": address, "opened": shown})


def write_page(folder: Path, app: str, made: PairBrowserResult, page: str = "") -> Path:
    """A file that posts the code, readable by this user alone; earlier ones are removed."""
    for earlier in folder.glob(FILES):
        earlier.unlink(missing_ok=True)
    texts = {"app": app, "url": made.url, "code": made.code, "page": page}
    text = PAGE.format_map({name: html.escape(value) for name, value in texts.items()})
    file_name = folder / FILES.replace("*", secrets.token_hex(8))
    descriptor = os.open(file_name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return file_name
