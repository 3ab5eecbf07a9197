"""The `deskbus` command. Data goes to standard output as JSON; words go to standard error."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deskbus import __version__
from deskbus.config import default_data_dir


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0 done, 1 failed, 2 called wrongly."""
    options = _parser().parse_args(arguments)
    # Each command imports what it needs, so that none pays for another's libraries.
    if options.command == "serve":
        from deskbus.commands import serve

        return serve.run(options)
    # A library's log lines must not mix with the data on standard output.
    from deskbus.observability import logging

    logging.configure(level="error")
    if options.command == "log":
        from deskbus.commands import log

        return log.run(options)
    if options.command == "doctor":
        from deskbus.commands import doctor

        return doctor.run(options)
    from deskbus.commands import client

    return client.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deskbus", description="The backend of an Electron shell."
    )
    parser.add_argument("--version", action="version", version=f"deskbus {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--data-dir",
        type=Path,
        default=default_data_dir(),
        help="where the backend keeps its files (default: %(default)s)",
    )

    serve = commands.add_parser("serve", parents=[place], help="run the backend")
    how = serve.add_mutually_exclusive_group(required=True)
    how.add_argument("--stdio", action="store_true", help="a shell speaks on stdin and stdout")
    how.add_argument("--headless", action="store_true", help="no shell; tools use the pipe")
    serve.add_argument("--config", type=Path, help="the configuration file (TOML)")
    serve.add_argument(
        "--consent",
        choices=("ask", "allow", "deny"),
        default="ask",
        help="ask a person (default), or for development allow or deny everything",
    )
    serve.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")

    call = commands.add_parser("call", parents=[place], help="call a method of a running backend")
    call.add_argument("method")
    call.add_argument("params", nargs="?", default="{}", help="a JSON object")

    pub = commands.add_parser("pub", parents=[place], help="publish a message")
    pub.add_argument("topic")
    pub.add_argument("payload", help="any JSON value")

    sub = commands.add_parser("sub", parents=[place], help="print messages, one a line")
    sub.add_argument("pattern")
    sub.add_argument("--count", type=int, help="end after so many messages")

    replay = commands.add_parser("replay", parents=[place], help="print persisted messages again")
    replay.add_argument("--topic", default="#", metavar="PATTERN", help="default: every topic")
    replay.add_argument(
        "--from",
        dest="since",
        default="0",
        metavar="TIME",
        help="Unix milliseconds or an ISO 8601 time; default: the beginning",
    )
    replay.add_argument("--follow", action="store_true", help="go on with live messages")

    log = commands.add_parser("log", parents=[place], help="look at the log of messages on disk")
    log.add_argument(
        "what",
        choices=("stat", "verify"),
        help="stat: size, age and counts; verify: read all of it and report damage",
    )

    commands.add_parser("doctor", parents=[place], help="tell what works on this machine")
    return parser


if __name__ == "__main__":
    sys.exit(main())
