"""The line of a routed message: its members always in this order.

    {"jsonrpc":"2.0","method":"bus.message","params":{"topic":T,"sender":{…},"epoch":E,"seq":N,
    "id":I,"correlationId":C,"timestamp":MS[,options],"payload":P}}

The first marker of a kind is the member itself up to the timestamp: what a sender chose before it
are strings, and a quote within a string is escaped. Behind it come options with keys of their own,
so a payload is told by its length, not by its marker.
"""

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
