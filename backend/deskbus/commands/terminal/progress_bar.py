"""A progress bar on standard error, and only on a terminal."""

import sys
from contextlib import suppress

BAR_WIDTH = 30


def show_progress(done: int, total: int) -> None:
    if sys.stderr is None or not sys.stderr.isatty():
        return
    share = done / total if total else 1.0
    bar = "█" * round(share * BAR_WIDTH)
    end = "\n" if done >= total else ""
    with suppress(OSError):
        sys.stderr.write(f"\r{bar:<{BAR_WIDTH}} {share:4.0%}{end}")
