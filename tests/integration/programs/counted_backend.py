"""The backend, which writes the sizes of all its collections to a file when it is asked.

Every object of a class of ours counts, and so does what functions of ours keep in their closures.
"""

import gc
import json
import os
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FunctionType

from deskbus.cli import main

COLLECTIONS = (dict, list, set, deque)


def sizes() -> Counter[str]:
    # Objects of the start are frozen, and so would not be told of.
    gc.unfreeze()
    gc.collect()
    found: Counter[str] = Counter()
    seen: set[int] = set()
    for each in gc.get_objects():
        kind = type(each)
        if is_ours(kind.__module__):
            found[f"{kind.__module__}.{kind.__qualname__}"] += 1
        for name, value in (*of_instance(each), *of_closure(each)):
            if isinstance(value, COLLECTIONS) and id(value) not in seen:
                seen.add(id(value))
                found[name] += len(value)
    return found


def is_ours(module: object) -> bool:
    return isinstance(module, str) and module.startswith("deskbus")


def of_instance(each: object) -> Iterator[tuple[str, object]]:
    kind = type(each)
    if not is_ours(kind.__module__):
        return
    name = f"{kind.__module__}.{kind.__qualname__}"
    names: Iterable[str] = getattr(each, "__dict__", None) or {
        name for base in kind.__mro__ for name in getattr(base, "__slots__", ())
    }
    for attribute in list(names):
        yield f"{name}.{attribute}", getattr(each, attribute, None)


def of_closure(each: object) -> Iterator[tuple[str, object]]:
    if not isinstance(each, FunctionType) or not is_ours(each.__module__):
        return
    for name, cell in zip(each.__code__.co_freevars, each.__closure__ or (), strict=False):
        try:
            yield f"{each.__module__}.{each.__qualname__}.{name}", cell.cell_contents
        except ValueError:  # the cell is empty
            continue


def serve(asked: Path, target: Path) -> None:
    """Writes the sizes to `target` each time that the named pipe `asked` was opened and closed."""
    while True:
        asked.read_bytes()
        written = target.with_suffix(".new")
        written.write_text(json.dumps(sizes()))
        written.replace(target)


if __name__ == "__main__":
    places = Path(os.environ["COUNTED_ASKED"]), Path(os.environ["COUNTED_SIZES"])
    threading.Thread(target=serve, args=places, daemon=True).start()
    sys.exit(main())
