"""The proof that a bundle works: it is started where no Python can be found, and asked."""

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deskbus.commands.bundling.interpreter import ask, bare_environment
from deskbus.commands.bundling.layout import BundleLayout
from deskbus.commands.terminal.failures import CommandError
from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.wire import rpc

DOCTOR_WITHIN_S = 60.0
SERVE_WITHIN_S = 30.0

AS_AN_APP = "import deskbus_protocol.client, sys; print(sys.flags.isolated)"


def verify(layout: BundleLayout) -> float:
    """Returns the seconds from a start to the first answer. Raises `CommandError`."""
    ask(layout, AS_AN_APP, isolated=False)
    # A short path: a socket's may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="deskbus-") as folder:
        data = Path(folder)
        _examine(layout, data)
        # The first start reads files that no start has read before.
        answer_time_s(_command(layout), data, bare_environment(data))
        return answer_time_s(_command(layout), data, bare_environment(data))


def _command(layout: BundleLayout) -> list[str]:
    """The command as a shell starts it."""
    if layout.command.suffix == ".cmd":
        return [str(layout.python), "-I", "-B", "-m", "deskbus"]
    return [str(layout.command)]


def _examine(layout: BundleLayout, data: Path) -> None:
    """Runs the bundle's doctor, which may miss a keychain, and may find nothing broken."""
    ran = subprocess.run(
        [*_command(layout), "doctor", "--data-dir", str(data)],
        env=bare_environment(data),
        capture_output=True,
        timeout=DOCTOR_WITHIN_S,
        check=False,
    )
    try:
        checks: Mapping[str, Any] = json.loads(ran.stdout)["checks"]
    except (ValueError, KeyError):
        raise CommandError(f"the bundle's doctor failed: {_last_words(ran.stderr)}") from None
    broken = [f"{name}: {each['detail']}" for name, each in checks.items() if _is_broken(each)]
    if broken:
        raise CommandError(f"the bundle's doctor finds broken: {'; '.join(broken)}")


def _is_broken(finding: Mapping[str, Any]) -> bool:
    return bool(finding["verdict"] == "broken")


def answer_time_s(command: list[str], data: Path, env: Mapping[str, str]) -> float:
    """Starts a backend as a shell does, greets it and has it shut down.

    Returns the seconds until its first answer. Raises `CommandError`.
    """
    hello = {"protocolVersion": PROTOCOL_VERSION, "shell": "deskbus bundle"}
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "serve", "--stdio", "--data-dir", str(data)],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        limit = threading.Timer(SERVE_WITHIN_S, process.kill)
        limit.start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(rpc.request("session.hello", hello, 1) + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            took_s = time.perf_counter() - began
            _, errors = process.communicate(rpc.request("session.shutdown", {}, 2) + b"\n")
        except BrokenPipeError:
            answer, took_s, errors = b"", 0.0, b""
        finally:
            limit.cancel()
    if b'"result"' not in answer or process.returncode != 0:
        raise CommandError(f"the bundle's backend does not start: {_last_words(errors)}")
    return took_s


def _last_words(errors: bytes) -> str:
    return errors.decode(errors="replace").strip().rpartition("\n")[2] or "it says nothing"
