"""`deskbus serve`: the backend itself."""

import gc
import sys
from argparse import Namespace

from deskbus.transport.descriptors import NoShellError, claim_standard_descriptors

CONFIG_WRONG = 78
ALREADY_RUNNING = 73
"""Exit codes (EX_CONFIG, EX_CANTCREAT of sysexits.h), by which a shell knows what to advise."""

NO_CORE_BYTES = 1 if sys.platform == "linux" else 0
"""Linux looks at no limit but this one where a program, rather than a file, takes cores (core(5)):
with 0 it would hand the memory over, with 1 it does not. And no core fits into a byte.
"""


def spare_the_collector() -> None:
    """Lets the garbage collector leave what lives as long as the process alone.

    Messages make no cycles, but a full collection walks everything that 500 clients hold, and
    stops the bus for milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 10_000)
    gc.enable()


def leave_no_core_file() -> None:
    """A crash must not write the memory, with keys in it, to the disk; apps may raise it again."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (NO_CORE_BYTES if hard else 0, hard))


def run(options: Namespace) -> int:
    # First of all: nothing that is imported later can then reach the wire.
    try:
        claimed = claim_standard_descriptors() if options.stdio else None
    except NoShellError as error:
        sys.stderr.write(f"deskbus: {error}; without one, use serve --headless\n")
        return 1

    # Until `spare_the_collector`: what is imported stays, and looking through it takes time.
    gc.disable()
    from deskbus.app import Backend
    from deskbus.commands import loop
    from deskbus.config import Config, ConfigError, ConfigFile, Settings, runtime_dir_for
    from deskbus.datafolder import AlreadyRunningError, held
    from deskbus.observability import logging
    from deskbus.plans import check_apps
    from deskbus.transport.pipe import UnsafeDirectoryError

    logging.configure(level=options.log_level)
    leave_no_core_file()
    try:
        file = ConfigFile(options.config) if options.config else None
        config = file.load() if file else Config()
        if file:
            check_apps(file, config)
        settings = Settings(
            config=config,
            folder=options.config.resolve().parent if options.config else options.data_dir,
            data_dir=options.data_dir,
            runtime_dir=runtime_dir_for(options.data_dir),
        )

        async def serve() -> None:
            backend = Backend(settings, options.consent)
            spare_the_collector()
            await backend.run(claimed)

        with held(options.data_dir):
            loop.run(serve)
    except ConfigError as error:
        sys.stderr.write(f"deskbus: {error}\n")
        return CONFIG_WRONG
    except AlreadyRunningError as error:
        sys.stderr.write(f"deskbus: {error}\n")
        return ALREADY_RUNNING
    except UnsafeDirectoryError as error:
        sys.stderr.write(f"deskbus: {error}\n")
        return 1
    return 0
