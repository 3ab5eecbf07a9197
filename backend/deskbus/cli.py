"""The `deskbus` command. Data goes to standard output as JSON; words go to standard error."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from deskbus.observability.logs import lean_structlog  # noqa: F401  # before what logs

# isort: split
from deskbus.commands.arguments import numbers, paths
from deskbus.commands.terminal import failures, output

CLIENT_COMMANDS = frozenset({"call", "pub", "sub", "replay"})
SHELLS = ("bash", "zsh", "fish")

CALL_WITHIN_S = 120.0
WAIT_S = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code, as docs/command-line.md lists them.

    Every failure of a command ends here, in words.
    """
    try:
        output.prepare()
        code = _run(arguments)
        output.flush()
        output.settle()
    except BaseException as error:  # noqa: BLE001  # a person is never shown a traceback
        return failures.tell(error)
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        given = sys.argv[1:] if arguments is None else arguments
        options = parser(only_serve=given[:1] == ["serve"]).parse_args(given)
    except SystemExit as end:
        return int(end.code or 0)
    if getattr(options, "data_dir", options) is None:
        from deskbus.config import ConfigError, default_data_dir

        try:
            options.data_dir = default_data_dir()
        except ConfigError as error:
            raise failures.CommandError(str(error)) from None
    name = "client" if options.command in CLIENT_COMMANDS else options.command.replace("-", "_")
    # Imported by name, so that no command pays for another's libraries.
    command = importlib.import_module(f"deskbus.commands.{name}")
    if name != "serve":
        # A library's log must not mix with the command's own words on a failure.
        from deskbus.observability.logs import log_pipeline

        log_pipeline.configure(level="critical")
    return int(command.run(options))


def _text(argument: str) -> str:
    """An argument in UTF-8, whatever the locale is."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeDecodeError:
        raise argparse.ArgumentTypeError("this is not UTF-8") from None


def _default_words() -> str:
    from deskbus.config import ConfigError, default_data_dir

    try:
        return str(default_data_dir()).replace("%", "%%")
    except ConfigError:
        return "none, for this user has no home folder"


def parser(*, only_serve: bool = False) -> argparse.ArgumentParser:
    """The parser of the whole command line, from which shell completion is generated too.

    With `only_serve` the other commands are left out, to save time when a backend starts.
    """
    from deskbus import __version__

    root = argparse.ArgumentParser(prog="deskbus", description="The backend of an Electron shell.")
    root.add_argument("--version", action="version", version=f"deskbus {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--data-dir",
        type=paths.path,
        help=f"where the backend keeps its files (default: {_default_words()})",
    )

    reach = argparse.ArgumentParser(add_help=False, parents=[place])
    reach.add_argument(
        "--wait",
        type=numbers.seconds,
        default=WAIT_S,
        metavar="SECONDS",
        help="how long to wait for a backend that is starting (default: %(default)s)",
    )

    serve = commands.add_parser("serve", parents=[place], help="run the backend")
    how = serve.add_mutually_exclusive_group(required=True)
    how.add_argument("--stdio", action="store_true", help="a shell speaks on stdin and stdout")
    how.add_argument("--headless", action="store_true", help="no shell; tools use the pipe")
    serve.add_argument("--config", type=paths.path, help="the configuration file (TOML)")
    serve.add_argument(
        "--consent",
        choices=("ask", "allow", "deny"),
        default="ask",
        help="ask a person (default), or for development allow or deny everything",
    )
    serve.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")

    serve.add_argument(
        "--ready-fd",
        type=numbers.descriptor,
        metavar="N",
        help="write a line of JSON to descriptor N, and close it, when clients can connect",
    )
    if only_serve:
        return root

    bounded = argparse.ArgumentParser(add_help=False, parents=[reach])
    bounded.add_argument(
        "--timeout",
        type=numbers.some_seconds,
        default=CALL_WITHIN_S,
        metavar="SECONDS",
        help="how long to wait for the answer (default: %(default)s)",
    )
    call = commands.add_parser(
        "call", parents=[bounded], add_help=False, help="call a method of a running backend"
    )
    call.add_argument(
        "-h",
        "--help",
        nargs="?",
        const="",
        type=_text,
        dest="about",
        metavar="METHOD",
        help="tell about this command, and a method's parameters and result",
    )
    call.add_argument("method", nargs="?", type=_text)
    call.add_argument("params", nargs="?", default="{}", type=_text, help="a JSON object")
    call.set_defaults(usage=call.format_help)

    pub = commands.add_parser("pub", parents=[bounded], help="publish a message")
    pub.add_argument("topic", type=_text)
    pub.add_argument("payload", type=_text, help="any JSON value")

    sub = commands.add_parser("sub", parents=[reach], help="print messages, one a line")
    sub.add_argument("pattern", type=_text)
    sub.add_argument("--count", type=numbers.count, metavar="N", help="end after N messages")

    replay = commands.add_parser("replay", parents=[reach], help="print persisted messages again")
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

    _add_observability(commands, reach)
    _add_vault(commands, reach)
    _add_apps(commands, reach)
    _add_policy(commands, reach)
    fdc3 = commands.add_parser("fdc3", help="look at FDC3's channels, contexts, intents and trace")
    views = fdc3.add_subparsers(dest="what", required=True, metavar="WHAT")
    views.add_parser("channels", parents=[reach], help="who is on which channel, and who listens")
    contexts = views.add_parser("contexts", parents=[reach], help="the last context of each type")
    contexts.add_argument("channel", nargs="?", help="of this channel alone")
    views.add_parser("intents", parents=[reach], help="which apps take which intent")
    trace = views.add_parser("trace", parents=[reach], help="who sent what, and who got it")
    trace.add_argument("trace", nargs="?", help="of this trace id alone")
    who = views.add_parser("who", parents=[reach], help="who saw a context, and who allowed it")
    who.add_argument("trace", help="the trace id of the context or intent")
    session = commands.add_parser("session", help="save the desk's layout, and bring it back")
    deeds = session.add_subparsers(dest="what", required=True, metavar="WHAT")
    for deed, words in (
        ("save", "apps, windows, channels and contexts into a file"),
        ("restore", "a layout, or the desk as the last run left it"),
    ):
        one = deeds.add_parser(deed, parents=[reach], help=words)
        one.add_argument("name", nargs="?", type=_text, help="the layout's name (default: last)")
    deeds.add_parser("list", parents=[reach], help="the layouts that there are")
    remove = deeds.add_parser("remove", parents=[reach], help="delete a layout")
    remove.add_argument("name", type=_text)
    federation = commands.add_parser("federation", help="look after the link to other machines")
    doings = federation.add_subparsers(dest="what", required=True, metavar="ACTION")
    doings.add_parser("reconnect", parents=[reach], help="connect to NATS at once")
    from deskbus.commands.arguments.audit_options import add_audit

    add_audit(commands, place)

    _add_links(commands, reach)

    bundle = commands.add_parser("bundle", help="make a folder that runs where there is no Python")
    bundle.add_argument(
        "out", type=paths.path, metavar="OUT", help="the folder, which is not there yet"
    )
    bundle.add_argument(
        "--requirements", type=paths.path, metavar="FILE", help="packages that apps need, for pip"
    )
    bundle.add_argument(
        "--extras", metavar="NAMES", help="web,nats … (default: those that are installed)"
    )

    completion = commands.add_parser("completion", help="print a script that completes commands")
    completion.add_argument("shell", choices=SHELLS)

    doctor = commands.add_parser("doctor", parents=[reach], help="tell what works on this machine")
    doctor.add_argument("--config", type=paths.path, help="the configuration to check")
    doctor.add_argument(
        "--running", action="store_true", help="tell how the backend is that is running"
    )
    return root


def _add_links(commands: Any, reach: argparse.ArgumentParser) -> None:
    links = commands.add_parser("links", help="look at the backend's connections, and limit them")
    actions = links.add_subparsers(dest="what", required=True, metavar="ACTION")
    listing = actions.add_parser("list", parents=[reach], help="what each carries")
    listing.add_argument("--app", type=_text, help="those of one app")
    close = actions.add_parser("close", parents=[reach], help="close one; its client may come back")
    close.add_argument("number", type=numbers.count, metavar="LINK")
    limit = actions.add_parser(
        "limit", parents=[reach], help="how many there may be, as long as the backend runs"
    )
    limit.add_argument("--max-links", type=numbers.count, metavar="N")
    limit.add_argument("--max-links-of-app", type=numbers.count, metavar="N")


def _add_observability(commands: Any, reach: argparse.ArgumentParser) -> None:
    explain = commands.add_parser(
        "explain", parents=[reach], help="tell why an app has a permission, or has not"
    )
    explain.add_argument("app", metavar="APP", type=_text)
    explain.add_argument("permission", metavar="PERMISSION", type=_text)
    explain.add_argument("scope", metavar="SCOPE", type=_text)

    _add_traces(commands, reach)
    support = commands.add_parser(
        "support", parents=[reach], help="write an archive for who helps, without secrets"
    )
    support.add_argument(
        "file", type=paths.path, metavar="FILE", help="a .tar.gz that is not there yet"
    )
    levels = commands.add_parser(
        "log-level", parents=[reach], help="change how much the backend logs, or show it"
    )
    levels.add_argument(
        "words",
        nargs="*",
        type=_text,
        metavar="[COMPONENT] LEVEL",
        help="debug, info, warning, error; with a component also reset",
    )
    chaos = commands.add_parser(
        "chaos", parents=[reach], help="make a fault of the machine, in development mode"
    )
    chaos.add_argument(
        "fault", nargs="?", type=_text, metavar="FAULT", help="without one, all are listed"
    )
    chaos.add_argument(
        "--seconds", type=numbers.some_seconds, default=3.0, help="how long it lasts (default: 3)"
    )
    metrics = commands.add_parser("metrics", parents=[reach], help="print what is counted")
    metrics.add_argument("name", nargs="?", default="", type=_text, help="a part of metrics' names")
    metrics.add_argument(
        "--format",
        choices=("data", "prometheus", "openmetrics"),
        default="data",
        help="data (default) is a table, or JSON where it is piped; the others are texts",
    )


def _add_traces(commands: Any, reach: argparse.ArgumentParser) -> None:
    traces = commands.add_parser("traces", parents=[reach], help="list recent traces")
    traces.add_argument("--trace-id", type=_text, metavar="ID")
    traces.add_argument("--correlation-id", type=_text, metavar="ID")
    traces.add_argument("--app", type=_text)
    traces.add_argument("--topic", type=_text)
    traces.add_argument(
        "--longer-than", type=numbers.count, metavar="MS", help="that took so many milliseconds"
    )
    traces.add_argument("--errors", action="store_true", help="in which something failed")
    for name in ("since", "until"):
        traces.add_argument(f"--{name}", metavar="TIME", help="Unix milliseconds or ISO 8601")
    traces.add_argument("--limit", type=numbers.count, default=100, metavar="N")
    trace = commands.add_parser("trace", parents=[reach], help="draw one trace as a waterfall")
    trace.add_argument("trace_id", type=_text, metavar="ID")


def _add_policy(commands: Any, reach: argparse.ArgumentParser) -> None:
    policy = commands.add_parser("policy", help="the administrator's rules over what people decide")
    actions = policy.add_subparsers(dest="what", required=True, metavar="ACTION")
    actions.add_parser("status", parents=[reach], help="which policy stands")
    actions.add_parser("reload", parents=[reach], help="read the file again; applies at once")
    check = actions.add_parser("check", help="whether a file can be used; needs no backend")
    check.add_argument("file", type=paths.path)
    check.add_argument(
        "--config", type=paths.path, help="the configuration whose permissions count"
    )

    publisher = commands.add_parser(
        "publisher", help="sign apps, so that updates keep their grants"
    )
    steps = publisher.add_subparsers(dest="what", required=True, metavar="ACTION")
    keygen = steps.add_parser("keygen", help="make a key; prints the public one")
    keygen.add_argument("key", type=paths.path, help="the file to write the private key to")
    sign = steps.add_parser("sign", help="sign an app's manifest and files, in the manifest")
    sign.add_argument("manifest", type=paths.path)
    sign.add_argument("key", type=paths.path, help="the private key's file")


def _add_apps(commands: Any, reach: argparse.ArgumentParser) -> None:
    panel = commands.add_parser(
        "panel", parents=[reach], help="open a panel in the shell; without a shell, print it"
    )
    panel.add_argument(
        "name", nargs="?", type=_text, help="permissions or audit; without one, list them"
    )
    panel.add_argument("--search", default="", type=_text, help="words to look for")
    panel.add_argument("--print", action="store_true", help="print it, even where there is a shell")

    centre = commands.add_parser(
        "control-centre",
        parents=[reach],
        help="open the control centre, in the shell or in a browser",
    )
    centre.add_argument(
        "page",
        nargs="?",
        default="overview",
        type=_text,
        metavar="PAGE",
        help="overview (default), bus, apps, traces …; also bus/TOPIC and apps/APP",
    )
    way = centre.add_mutually_exclusive_group()
    way.add_argument("--browser", action="store_true", help="let a browser in, to look for an hour")
    way.add_argument(
        "--act",
        nargs="?",
        const="",
        type=_text,
        metavar="BROWSER",
        help="print a code with which a browser that was let in may act for ten minutes",
    )
    way.add_argument(
        "--revoke", action="store_true", help="let no browser in any more that was let in"
    )
    centre.add_argument(
        "--print", action="store_true", help="with --browser: tell where the page is that opens it"
    )

    opening = commands.add_parser("open", parents=[reach], help="open an app in a browser")
    opening.add_argument("app", type=_text, metavar="APP")
    opening.add_argument(
        "--print", action="store_true", help="open nothing; print where the page is that does"
    )

    apps = commands.add_parser("apps", help="look after apps; a table, or JSON where it is piped")
    actions = apps.add_subparsers(dest="what", required=True, metavar="ACTION")

    def add(action: str, words: str, operand: str | None = "APP") -> Any:
        parser = actions.add_parser(action, parents=[reach], help=words)
        if operand:
            _add_operand(parser, operand)
        return parser

    add("list", "which there are, and how they are", None)
    add("stats", "what they use, beside their limits", "[APP]")
    add("install", "take in the app of a manifest", "MANIFEST")
    add("uninstall", "end an app, and forget it with its saved state")
    add("launch", "start an app")
    add("terminate", "end an app with all its processes and windows")
    add("restart", "end and start an app, also one that crashed too often")
    limit = add("limit", "replace an app's limits")
    limit.add_argument(
        "limits", nargs="*", metavar="NAME=N", help="memory_mb=256, cpu_percent=50 …"
    )


def _add_vault(commands: Any, reach: argparse.ArgumentParser) -> None:
    vault = commands.add_parser("vault", help="look after the vault of secrets")
    actions = vault.add_subparsers(dest="what", required=True, metavar="ACTION")
    passwords = argparse.ArgumentParser(add_help=False)
    passwords.add_argument(
        "--password-fd",
        type=numbers.descriptor,
        metavar="N",
        help="read the master password from descriptor N",
    )

    def add(action: str, words: str, *, operand: str | None = None, new: bool = False) -> Any:
        parser = actions.add_parser(action, parents=[reach, passwords], help=words)
        if operand:
            _add_operand(parser, operand)
        if new:
            parser.add_argument(
                "--new-password-fd",
                type=numbers.descriptor,
                metavar="N",
                help="the other password, likewise",
            )
        return parser

    add("status", "where the key is, how strong, and when it was changed")
    add("unlock", "open it once, or make it; the keychain may ask a person")
    add("lock", "forget its keys in the running backend, until unlock")
    rotate = add("rotate", "new keys; every record is sealed anew")
    rotate.add_argument("--keys", choices=("all", "kek", "data"), default="all")
    rotate.add_argument(
        "--lazy", action="store_true", help="seal records when they are next written"
    )
    add("change-password", "put it under a master password, or another one", new=True)
    add("use-keychain", "move its key into the keychain", operand="[KEYCHAIN]")
    add("use-safe-storage", "have Electron's safeStorage keep its key; needs the running shell")
    add("export", "write its content to a file under a password", operand="FILE", new=True)
    add("import", "take in what another machine exported", operand="FILE", new=True)
    add("set", "keep a secret of the configuration, read from standard input", operand="NAME")
    add("unset", "forget a secret of the configuration", operand="NAME")


def _add_operand(parser: argparse.ArgumentParser, operand: str) -> None:
    # A file's name may have any bytes.
    kind = str if operand in ("FILE", "MANIFEST") else _text
    parser.add_argument("name", metavar=operand.strip("[]"), nargs=_count(operand), type=kind)


def _count(operand: str) -> str | None:
    return "?" if operand.startswith("[") else None


if __name__ == "__main__":
    sys.exit(main())
