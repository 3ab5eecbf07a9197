"""Every failure of a command in words: the path, the cause, and what to do."""

import errno
import os
import sys
import traceback
from collections.abc import Iterator

from deskbus.commands.terminal import output
from deskbus.commands.terminal.output import OutputError, ReaderGoneError

DONE = 0
FAILED = 1
MISUSED = 2
INTERRUPTED = 130

TRACE_VARIABLE = "DESKBUS_TRACEBACK"
"""The variable that makes a fault of the program show its traceback."""

MAKE_SAFE = "Make it yours alone (chmod 700), or set XDG_RUNTIME_DIR to a folder that is."
KEEP_PRIVATE = "Make the data folder yours alone (chmod 700), and name it itself, not a link to it."
_PLACE = "Give this user access to it, or name another place, as with --data-dir."
_ACTIONS = {
    errno.EACCES: _PLACE,
    errno.EPERM: _PLACE,
    errno.EROFS: "The file system is read-only; name another place, as with --data-dir.",
    errno.ENOSPC: "Make room on that disk, or name another place.",
    errno.EDQUOT: "Make room in your quota, or name another place.",
    errno.ENOENT: "Look whether the name is right.",
    errno.ENOTDIR: "A folder is needed there; name another place, or move the file away.",
    errno.EEXIST: "Move what is there away, or choose another name.",
    errno.EISDIR: "A file is needed there; name another.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.EFBIG: "Give a smaller one, or raise the limit of a file's size: ulimit -f.",
    errno.ESPIPE: "Give an ordinary file.",
    errno.EMFILE: "Raise the limit of open files: ulimit -n 4096.",
    errno.EAGAIN: "Stop what uses it, or name another place, as with --data-dir.",
    errno.ELOOP: "Name the place itself, not a link to it.",
    errno.EBADF: "Open that descriptor for the command, as in 3<file.",
}


class CommandError(Exception):
    """A command can't do what is wanted; the message says why, and `action` what to do."""

    def __init__(self, message: str, action: str = "", *, code: int = FAILED) -> None:
        super().__init__(message)
        self.action = action
        self.code = code


class MisuseError(CommandError):
    """The command was called wrongly."""

    def __init__(self, message: str, action: str = "") -> None:
        super().__init__(message, action, code=MISUSED)


def tell(error: BaseException) -> int:
    """Tells a person of `error` on standard error; returns the exit code."""
    leaves = list(_leaves(error))
    for kind in (KeyboardInterrupt, ReaderGoneError, OutputError):
        if any(isinstance(leaf, kind) for leaf in leaves):
            output.give_up()
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return INTERRUPTED
    if any(isinstance(leaf, ReaderGoneError) for leaf in leaves):
        return DONE
    words, code = _words(leaves[0])
    output.tell(f"deskbus: {words}")
    return code


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _words(error: BaseException) -> tuple[str, int]:
    if isinstance(error, CommandError):
        return _joined(str(error), error.action), error.code
    if isinstance(error, OutputError):
        return _joined(f"standard output: {error}", "Write to another file or pipe."), FAILED
    if isinstance(error, OSError):
        return describe(error), FAILED
    if isinstance(error, MemoryError):
        action = "Raise its limit (ulimit -v), or end other programs."
        return _joined("there is not enough memory", action), FAILED
    # Imported by those commands alone that talk to a backend.
    known = sys.modules.get("deskbus_protocol.errors")
    if known is not None and isinstance(error, known.DeskbusError):
        return _joined(f"{error.message} ({error.kind.code})", error.action), FAILED
    return _fault(error), FAILED


def describe(error: OSError) -> str:
    """The path, the cause, and on a line of its own what to do."""
    cause = error.strerror or str(error) or "it can't be used"
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    return _joined(f"{path}: {cause}" if path else cause, _ACTIONS.get(error.errno or 0, ""))


def _joined(message: str, action: str) -> str:
    return f"{message}\n{action}" if action else message


def _fault(error: BaseException) -> str:
    """A fault of the program's own: no exception text, which may hold anything."""
    if os.environ.get(TRACE_VARIABLE):
        return "".join(traceback.format_exception(error)).rstrip()
    return _joined(
        f"a fault in deskbus itself ({type(error).__name__})",
        f"Please report it; with {TRACE_VARIABLE}=1 the same command shows where it is.",
    )
