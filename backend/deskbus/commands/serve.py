"""`deskbus serve`: the backend itself."""

import gc
import os
import sys
from argparse import Namespace
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from deskbus.commands.backend import open_files
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import KEEP_PRIVATE, MAKE_SAFE, CommandError, MisuseError
from deskbus.commands.terminal.output import OutputError, ReaderGoneError
from deskbus.config import Config, ConfigError, ConfigFile, Settings, runtime_dir_for
from deskbus.observability.logs.standard_error import StandardError, take_standard_error
from deskbus.storage.data_folder import held
from deskbus.storage.folder_exposure import exposure
from deskbus.storage.folder_lock import FolderBusyError
from deskbus.transport.named_pipes.pipe import reserved
from deskbus.transport.named_pipes.pipe_state import UnsafeDirectoryError
from deskbus.transport.standard_streams.standard_descriptors import (
    ClaimedDescriptors,
    NoShellError,
    claim_standard_descriptors,
)

CONFIG_WRONG = 78
ALREADY_RUNNING = 73
"""Exit codes (EX_CONFIG, EX_CANTCREAT of sysexits.h), by which a shell knows what to advise."""

USE_THAT_ONE = "Use that one, stop it first, or give this one another folder with --data-dir."

THREAD_SLICE_S = 0.0005
"""How long a thread keeps the interpreter while the event loop waits for it: 5 ms by default, once
for each thread that works on files or the audit log, would hold up every message.
"""

NO_CORE_BYTES = 1 if sys.platform == "linux" else 0
"""Linux looks at no limit but this one where a program, rather than a file, takes cores (core(5)):
with 0 it would hand the memory over, with 1 it does not. And no core fits into a byte.
"""


YOUNG_OBJECTS = 4_000
YOUNG_COLLECTIONS = 8
NEVER = 10_000
"""The collector looks at as many new objects at once, and now and then at those that are left of so
many times, which takes one and some milliseconds; at everything only when it is told to.
"""


def spare_the_collector() -> None:
    """Lets the garbage collector leave what lives as long as the process alone.

    Messages make no cycles, but a full collection walks everything that 500 clients hold, and
    stops the bus for milliseconds: so it is never due here, and `Collector` runs it. Importing
    leaves nothing to collect, and to look for it would take a tenth of the start.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_COLLECTIONS, NEVER)
    gc.enable()


def leave_no_core_file() -> None:
    """A crash must not write the memory, with keys in it, to the disk; apps may raise it again."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (NO_CORE_BYTES if hard else 0, hard))


def _check_interpreter() -> None:
    """Raises `CommandError` where the interpreter is frozen into one program.

    Apps in Python, what confines apps and what ends them are run by `sys.executable`.
    """
    if getattr(sys, "frozen", False):
        words = "this deskbus was frozen into a program, which can't run what is written in Python"
        raise CommandError(words, "Make the folder with: deskbus bundle OUT")


def run(options: Namespace) -> int:
    _check_interpreter()
    # First of all: nothing that is imported later can then reach the wire.
    try:
        claimed = claim_standard_descriptors() if options.stdio else None
    except NoShellError as error:
        raise CommandError(str(error), "Without a shell, use deskbus serve --headless.") from None
    _check_ready_fd(options.ready_fd)
    _check_limit_of_files()
    _check_data_folder(options.data_dir)
    stderr = take_standard_error(and_output=options.stdio)
    runtime_dir = runtime_dir_for(options.data_dir)
    try:
        with ExitStack() as locks:
            # Before all that takes time: from here on clients wait for this backend.
            _lock_folders(locks, runtime_dir, options.data_dir)
            _serve(options, runtime_dir, claimed, stderr)
    except ConfigError as error:
        raise CommandError(str(error), code=CONFIG_WRONG) from None
    except UnsafeDirectoryError as error:
        raise CommandError(str(error), MAKE_SAFE) from None
    return 0


def _lock_folders(locks: ExitStack, runtime_dir: Path, data_dir: Path) -> None:
    """Raises `CommandError` where another backend has one of them."""
    try:
        locks.enter_context(reserved(runtime_dir))
        locks.enter_context(held(data_dir))
    except FolderBusyError as error:
        who = f"a backend (pid {error.pid})" if error.pid else "a backend"
        words = f"{who} already runs on {data_dir}"
        raise CommandError(words, USE_THAT_ONE, code=ALREADY_RUNNING) from None


def _check_limit_of_files() -> None:
    """Raises `CommandError`: with too few, the event loop ends the process without a word."""
    limits = open_files.limits()
    if limits is not None and limits[0] < open_files.NEEDED:
        words = f"{limits[0]} open files are allowed, and {open_files.NEEDED} needed"
        raise CommandError(words, "Raise the limit: ulimit -n 4096.")


def _check_data_folder(data_dir: Path) -> None:
    """Raises `CommandError` for one that anybody can write into; tells of other dangers."""
    anybody, words = exposure(data_dir)
    if anybody:
        raise CommandError(words, KEEP_PRIVATE)
    if words:
        output.tell(f"deskbus: {words}. {KEEP_PRIVATE}")


def _serve(
    options: Namespace,
    runtime_dir: Path,
    claimed: ClaimedDescriptors | None,
    stderr: StandardError,
) -> None:
    # Until `spare_the_collector`: what is imported stays, and looking through it takes time.
    gc.disable()
    from deskbus.app import Backend
    from deskbus.commands.backend import event_loop
    from deskbus.components.component_settings import apply_logging, check_apps
    from deskbus.observability.logs import log_pipeline

    logs = log_pipeline.configure(level=options.log_level, stderr=stderr)
    leave_no_core_file()
    file = ConfigFile(options.config) if options.config else None
    config = file.load() if file else Config()
    if file:
        check_apps(file, config)
    settings = Settings(
        config=config,
        folder=options.config.resolve().parent if options.config else options.data_dir,
        data_dir=options.data_dir,
        runtime_dir=runtime_dir,
    )

    apply_logging(logs, settings)
    sys.setswitchinterval(THREAD_SLICE_S)

    async def serve() -> None:
        backend = Backend(settings, options.consent, stderr, logs, claimed)
        spare_the_collector()
        await backend.run(partial(_tell_ready, options))

    try:
        event_loop.run(serve)
    finally:
        if logs.file is not None:
            logs.file.close()


def _check_ready_fd(descriptor: int | None) -> None:
    """Raises `MisuseError` before the start rather than after it."""
    if descriptor is None:
        return
    try:
        os.fstat(descriptor)
    except (OSError, OverflowError):
        raise MisuseError(
            f"--ready-fd {descriptor}: there is no such descriptor",
            f"Open it for the command, as in: {descriptor}>FILE",
        ) from None
    # Apps must not hold it open.
    os.set_inheritable(descriptor, False)


def _tell_ready(options: Namespace, pipe: str) -> None:
    """A line on the descriptor that was asked for, and on standard output where no shell has it.

    A reader that is gone is no reason to end.
    """
    result = {
        "ready": True,
        "pid": os.getpid(),
        # A name that is not UTF-8 can't be JSON; its other bytes are shown as escapes.
        "dataDir": os.fsencode(options.data_dir.absolute()).decode(errors="backslashreplace"),
        "pipe": pipe,
    }
    if options.ready_fd is not None:
        with suppress(OSError), os.fdopen(options.ready_fd, "wb", buffering=0) as file:
            file.write(output.json_line(result).encode())
    if options.headless:
        try:
            if output.on_terminal():
                output.write(f"deskbus is ready (pid {os.getpid()}, data in {result['dataDir']})\n")
            else:
                output.write(output.json_line(result))
        except (OutputError, ReaderGoneError):
            output.give_up()
