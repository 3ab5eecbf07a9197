"""The limit of open files, as a backend needs it."""

import sys

NEEDED = 48
"""The least limit to start with; a backend without any app has some 27 files open."""

RECOMMENDED = 1024
"""The limit that suffices for 500 apps."""


def limits() -> tuple[int, int] | None:
    """The soft and the hard limit; None on a platform without them."""
    if sys.platform == "win32":
        return None
    else:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if soft == resource.RLIM_INFINITY else (soft, hard)
