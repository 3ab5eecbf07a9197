"""A progress bar on standard error, and only on a terminal."""

import sys

BAR_WIDTH = 30


def show_progress(done: int, total: int) -> None:
    if not sys.stderr.isatty():
        return
    share = done / total if total else 1.0
    bar = "█" * round(share * BAR_WIDTH)
    end = "\n" if done >= total else ""
    sys.stderr.write(f"\r{bar:<{BAR_WIDTH}} {share:4.0%}{end}")
