"""The line of a routed message: its members always in this order.

    {"jsonrpc":"2.0","method":"bus.message","params":{"topic":T,"sender":{…},"epoch":E,"seq":N,
    "id":I,"correlationId":C,"timestamp":MS[,options],"payload":P}}

The first marker of a kind is the member itself up to the timestamp: what a sender chose before it
are strings, and a quote within a string is escaped. Behind it come options with keys of their own,
so the payload's marker is the first one that stands within no option.
"""

import msgspec
from msgspec import Raw

MESSAGE_HEAD = b'{"jsonrpc":"2.0","method":"bus.message","params":'
"""The beginning of each message's frame."""

TOPIC = MESSAGE_HEAD + b'{"topic":'
SENDER = b',"sender":'
EPOCH = b',"epoch":'
SEQ = b',"seq":'
ID = b',"id":'
CORRELATION = b',"correlationId":'
TIMESTAMP = b',"timestamp":'
PAYLOAD = b',"payload":'
END = b"}}\n"

_check_whole = msgspec.json.Decoder(Raw).decode


def head(line: bytes) -> bytes:
    """The message without its payload, as JSON: what is known of it costs nothing by its length.

    Raises `ValueError` for a line that is no message's.
    """
    at = line.index(PAYLOAD)
    while True:
        members = line[len(MESSAGE_HEAD) : at] + b"}"
        try:
            _check_whole(members)
        except msgspec.DecodeError:
            # An option has a key of the same name, and is not closed yet.
            at = line.index(PAYLOAD, at + 1)
        else:
            return members
