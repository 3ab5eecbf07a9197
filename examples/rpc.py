"""A client without any library of ours: JSON-RPC 2.0, a line of JSON a message, over a Unix socket.

    deskbus serve --headless           # prints a line of JSON with the path of its pipe
    python3 examples/rpc.py PIPE       # prints what is published on weather.#, until interrupted

The ticket for tools lies beside the pipe. An app's own ticket comes from the shell that starts it.
"""

import json
import socket
import sys
from pathlib import Path

pipe = Path(sys.argv[1])
ticket = pipe.with_name("developer.ticket").read_text()

with socket.socket(socket.AF_UNIX) as link:
    link.connect(str(pipe))
    wire = link.makefile("rw", encoding="utf-8", newline="\n")

    def send(**message: object) -> None:
        print(json.dumps({"jsonrpc": "2.0", **message}), file=wire, flush=True)

    session = {"app": "deskbus.developer", "ticket": ticket, "protocolVersion": "1.0"}
    send(id=1, method="session.open", params=session)
    send(id=2, method="bus.subscribe", params={"pattern": "weather.#"})

    for line in wire:
        match json.loads(line):
            case {"method": "bus.message", "params": message}:
                print(message["topic"], json.dumps(message["payload"]), flush=True)
            case {"method": "session.ping", "id": asked}:  # unanswered for 30 s, the link ends
                send(id=asked, result={})
            case {"error": error}:
                sys.exit(f"{error['message']} {error['data']['action']}")
