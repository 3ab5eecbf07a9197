"""Text of records for a page that people read: nothing in it is markup, nothing is hidden."""

import html

from deskbus_protocol.wording.display import visible


def escaped(text: str) -> str:
    return html.escape(visible(text))
