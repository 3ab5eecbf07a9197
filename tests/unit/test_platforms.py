"""Every module of the backend can be imported where there is nothing that POSIX alone has."""

import subprocess
import sys
from pathlib import Path

POSIX_ONLY = {
    "deskbus.processes.watchdog.watchdog",
    "deskbus.processes.runtime.launcher",
    "deskbus.processes.system.procfs",
    "deskbus.reliability.posix_faults",
    "deskbus.transport.named_pipes.unix_socket",
}
"""These say so by an assertion; whoever imports them has asked for the platform before."""

PROGRAM = r"""
import importlib, os, pkgutil, signal, sys, types
import deskbus, deskbus_protocol

def names():
    for package in (deskbus_protocol, deskbus):
        found = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
        yield from (each.name for each in found if not each.name.endswith("__main__"))

every = sorted(names())
for name in every:
    if not name.endswith(("windows_pipe", "jobs")):
        importlib.import_module(name)  # so that what others wrote is loaded as it is here
import asyncio, ctypes, ctypes.wintypes
for name in [each for each in sys.modules if each.startswith("deskbus")]:
    del sys.modules[name]

sys.platform = "win32"
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "uvloop"):
    sys.modules[name] = None
for name in ("getuid", "geteuid", "getpgid", "getsid", "killpg", "fork", "fchmod", "pread",
             "mkfifo",
             "sysconf", "pidfd_open", "set_blocking", "WNOHANG", "fdatasync", "O_NOFOLLOW",
             "O_CLOEXEC",
             "O_DIRECTORY", "O_NONBLOCK", "O_PATH", "getloadavg", "uname"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGSTOP", "SIGCONT", "SIGHUP", "SIGUSR1", "SIGPIPE", "pidfd_send_signal"):
    if hasattr(signal, name):
        delattr(signal, name)
signal.SIGBREAK = 21
os.O_BINARY = os.O_NOINHERIT = 0
for name in ("msvcrt", "_winapi", "asyncio.windows_utils"):
    sys.modules[name] = types.ModuleType(name)
asyncio.windows_utils = sys.modules["asyncio.windows_utils"]
asyncio.windows_utils.PipeHandle = object
ctypes.WinDLL = ctypes.CDLL

for name in every:
    try:
        importlib.import_module(name)
    except AssertionError:
        print("POSIX", name)
    except BaseException as error:
        print("FAILS", name, repr(error))
    else:
        print("FINE", name)
sys.stdout.flush()
os._exit(0)
"""


def test_every_module_but_those_of_posix_can_be_imported_as_on_windows() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    verdicts = [line.split(maxsplit=1) for line in ran.stdout.splitlines()]
    assert [rest for verdict, rest in verdicts if verdict == "FAILS"] == []
    assert {name for verdict, name in verdicts if verdict == "POSIX"} == POSIX_ONLY
    modules = Path(__file__).parents[2].joinpath("backend/deskbus").rglob("*.py")
    assert len(verdicts) > len(list(modules))
