"""Everything that bounds what a browser, or whoever says it is one, can make the gateway hold."""

MAX_HTTP_CONNECTIONS = 256
"""Connections that are no WebSocket. One more takes the place of the oldest that asks nothing."""

MAX_SOCKETS = 512
MAX_SOCKETS_OF_ORIGIN = 64
"""WebSockets in all, and of the pages of one origin."""

MAX_HEAD_BYTES = 16 * 1024
"""Limit of a request's line and headers."""

MAX_HEADERS = 64
MAX_TARGET_BYTES = 2048
"""Limit of a request's path and query."""

REQUEST_WITHIN_S = 10.0
"""A request has come whole within this time from its first byte; the first one from the
connection's beginning.
"""

RESPONSE_WITHIN_S = 30.0
"""How long a reader may take nothing of a response that waits for it."""

KEEP_ALIVE_S = 5
"""How long a connection is kept for a next request."""

MAX_RPC_BYTES = 4 * 1024 * 1024
MAX_REPORT_BYTES = 64 * 1024
MAX_FORM_BYTES = 4 * 1024
"""Bodies: of calls, of a browser's reports, and of everything else. None may be compressed, so
this is also the size that it is unpacked to.
"""

MAX_PAGE_NAME = 330
"""Characters of what a page is asked to show, as it is first opened."""

RPC_WITHIN_S = 60.0
"""A call over HTTP is answered, or given up, within this time."""

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PAGE_BYTES = 4 * 1024 * 1024
"""Files that are served, and pages among them, which are read as HTML."""

MAX_READS = 8
"""Files that are read at once."""

MAX_WS_FRAME_BYTES = 5 * 1024 * 1024
"""The payload of one WebSocket frame: a whole bus frame and what stands around it."""

MAX_FRAGMENTS = 4096
"""Frames of one message; browsers send a message in a few."""

MAX_CONTROL_FRAMES_PER_S = 20
"""Pings and the like that a peer may send, and twice as many at once."""

WS_FRAME_WITHIN_S = 30.0
"""A WebSocket frame has come whole within this time from its first byte."""

MAX_CHANNELS = 64
"""Clients of one app that share a WebSocket."""

CHANNEL_WINDOW_BYTES = 1024 * 1024
"""Bytes of one channel that are under way; more wait at their sender until some were taken."""

CODE_LIFE_S = 60.0
MAX_CODES = 64
"""Pairing codes that were made and not used."""

BROWSER_LIFE_S = 12 * 3600.0
MAX_BROWSERS = 64
"""Browsers that are let in for one app; one more takes the place of the one unused longest."""

ONCE_LIFE_S = 3600.0
"""How long a browser is let in that a person allowed "once"."""

MAX_PAIRINGS = 4
"""Browsers that wait at once for a person's word; one of each app and origin."""

PAIRING_REFUSALS = 3
PAIRING_AGAIN_S = 300.0
"""Prompts that came to nothing after which nobody is asked for an app and origin; each so many
seconds one more may be tried.
"""

PAIRING_REFUSALS_IN_ALL = 6
PAIRING_AGAIN_IN_ALL_S = 60.0
"""The same over all apps and origins, so that many of them together flood nobody either."""

PAIRING_POLL_S = 20.0
"""How long a page that asks for the outcome waits before it has to ask again."""

PAIRING_WITHDRAWN_S = 3.0
"""A page that has not asked for this long is gone, and its prompt with it."""

CONTROL_LIFE_S = 3600.0
"""How long a browser that was let in to the control centre may look."""

ACT_LIFE_S = 600.0
"""How long it may act, by one code."""

CSRF_LIFE_S = 3600.0

TICKETS_PER_S = 5.0
REPORTS_PER_S = 5.0
REQUESTS_PER_S = 500.0
RATE_BURST_S = 20
"""Of one site, in a second; in a burst as many as in this many seconds."""
