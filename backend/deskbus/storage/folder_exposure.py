"""The ways in which other users can reach a folder. Everything here blocks."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_LINKS = 40
"""Links followed in one path; Linux follows no more."""


def exposure(folder: Path) -> tuple[bool, str]:
    """Ways in which other users reach a folder's content, in words, and whether anybody can.

    A user who can write into a folder on the way to it, without the sticky bit, can put another
    in its place. "" where nobody can; a folder that is not there yet counts as safe itself. Raises
    `OSError`.
    """
    found: list[tuple[bool, str]] = []
    if sys.platform != "win32":
        if folder.exists():
            found += _exposed(folder, folder)
        for place in _on_the_way(folder):
            found += _exposed(place, folder)
        if folder.is_symlink():
            words = f"{folder} is a link: who can change the link decides what is read"
            found.append((False, words))
    return max(found, key=lambda each: each[0], default=(False, ""))


def _exposed(place: Path, folder: Path) -> list[tuple[bool, str]]:
    found: list[tuple[bool, str]] = []
    if sys.platform != "win32":
        status = place.stat()
        way = "" if place == folder else f", and so put another folder in the place of {folder}"
        if way and status.st_mode & stat.S_ISVTX:
            # There only its owner removes or renames a file.
            return []
        if status.st_mode & stat.S_IWOTH:
            found.append((True, f"anybody on this machine can write into {place}{way}"))
        elif status.st_uid not in (os.geteuid(), 0):
            words = f"{place} belongs to another user, who can change what is in it{way}"
            found.append((False, words))
        elif status.st_mode & stat.S_IWGRP:
            found.append((False, f"its group can write into {place}{way}"))
    return found


def _on_the_way(folder: Path) -> Iterator[Path]:
    """Every folder that resolving the path passes through, including those of its links."""
    todo, seen = [_plain(folder)], set[Path]()
    followed = set[tuple[Path, Path]]()
    while todo:
        path = todo.pop()
        for step in (path, *path.parents):
            if step != path and step not in seen and step.exists():
                seen.add(step)
                yield step
            new = (step, path) not in followed and len(followed) < MAX_LINKS
            if new and step.is_symlink():
                followed.add((step, path))
                todo.append(_plain(step.parent / step.readlink() / path.relative_to(step)))


def _plain(path: Path) -> Path:
    """The path made absolute and free of `..`, with its links unresolved."""
    return Path(os.path.normpath(Path.cwd() / path))
