"""Takes file descriptors 0 and 1 for the shell link before anything else can use them."""

import os
import stat
import sys
from typing import NamedTuple


class ClaimedDescriptors(NamedTuple):
    """Private copies of the process's standard input and output."""

    read: int
    write: int


class NoShellError(Exception):
    """Standard input and output are not what a shell would connect."""


def claim_standard_descriptors() -> ClaimedDescriptors:
    """Moves fds 0 and 1 away: 0 reads as empty, 1 goes to standard error.

    Raises `NoShellError` unless both are pipes, sockets or terminals; the event loop can't watch
    anything else.

    A stray `print`, or a native library that writes to fd 1, can't touch the wire then, and no
    child inherits it.
    """
    for descriptor in (0, 1):
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            mode = 0
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)):
            raise NoShellError("serve --stdio needs a shell at the other end of stdin and stdout")
    sys.stdout.flush()
    claimed = ClaimedDescriptors(read=os.dup(0), write=os.dup(1))
    for descriptor in claimed:
        os.set_inheritable(descriptor, False)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return claimed
