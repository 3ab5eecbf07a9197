"""The words and options of `deskbus audit`."""

from argparse import ArgumentParser
from typing import Any

from deskbus.commands.arguments import numbers, paths


def add_audit(commands: Any, place: ArgumentParser) -> None:
    audit = commands.add_parser("audit", help="read the audit log, and prove that it is whole")
    actions = audit.add_subparsers(dest="what", required=True, metavar="ACTION")
    log = ArgumentParser(add_help=False)
    log.add_argument(
        "--log", type=paths.path, metavar="FOLDER", help="a copy of a log, in place of --data-dir"
    )
    log.add_argument(
        "--key",
        metavar="KEY",
        help="the log's verifier key, or a file with it; default: the one beside the log",
    )
    against = ArgumentParser(add_help=False)
    against.add_argument(
        "--against",
        type=paths.path,
        action="append",
        default=[],
        metavar="FILE",
        help="a checkpoint that was kept elsewhere; the log must go on from it",
    )

    against.add_argument(
        "--password-fd",
        type=int,
        metavar="N",
        help="a descriptor with the vault's master password; default: the terminal",
    )

    def add(action: str, words: str, *more: ArgumentParser) -> ArgumentParser:
        parser: ArgumentParser = actions.add_parser(action, parents=[place, log, *more], help=words)
        return parser

    add(
        "verify",
        "read all of it: OK, UNCLEAN TAIL, TAMPERED and where, or UNANCHORED and why",
        against,
    )
    query = add("query", "print records, one a line", _filters())
    query.add_argument("--oldest", action="store_true", help="oldest first; default: newest")
    query.add_argument(
        "--limit",
        type=numbers.sequence,
        default=100,
        metavar="N",
        help="default: 100; 0 prints all",
    )
    export = add("export", "write records to a file, and their proof beside it", _filters())
    export.add_argument("file", type=paths.path, metavar="FILE")
    export.add_argument("--format", choices=("json", "ndjson", "csv"), default="json")
    report = add("report", "write a report of a period as HTML", against)
    report.add_argument("file", type=paths.path, metavar="FILE")
    _add_times(report)
    add("head", "print the newest checkpoint, to be kept elsewhere")
    prove = add("prove", "print the proof of one record, or of what came since a checkpoint")
    prove.add_argument("seq", type=numbers.sequence, nargs="?", metavar="SEQUENCE")
    prove.add_argument(
        "--since-checkpoint", type=paths.path, metavar="FILE", help="a checkpoint that was kept"
    )
    check = add("check", "check an export, or what prove printed, without the log")
    check.add_argument("file", type=paths.path, metavar="FILE")


def _filters() -> ArgumentParser:
    filters = ArgumentParser(add_help=False)
    for name, words in (
        ("type", "an event, as permission.denied, or a family, as permission.*"),
        ("app", "an app's id"),
        ("actor", "person, policy or system"),
        ("decision", "allowed or denied"),
        ("severity", "info, notice, warning or critical"),
    ):
        filters.add_argument(
            f"--{name}", action="append", default=[], metavar=name.upper(), help=words
        )
    _add_times(filters)
    filters.add_argument("--correlation", metavar="ID", help="a correlation or trace id")
    filters.add_argument("--text", help="anywhere in a record")
    return filters


def _add_times(parser: ArgumentParser) -> None:
    for name in ("since", "until"):
        parser.add_argument(
            f"--{name}", metavar="TIME", help="Unix milliseconds or an ISO 8601 time"
        )
