"""The program that listens on a port, in words for a person."""

import psutil


def holder_of(port: int) -> str:
    """`NAME (pid N)`, or `another program` where the system does not tell. Blocks."""
    try:
        listening = psutil.net_connections(kind="tcp")
        pids = [
            each.pid
            for each in listening
            if each.status == psutil.CONN_LISTEN
            and each.laddr
            and each.laddr.port == port
            and each.pid
        ]
        if pids:
            return f"{psutil.Process(pids[0]).name()} (pid {pids[0]})"
    except (psutil.Error, OSError):
        pass
    return "another program"
