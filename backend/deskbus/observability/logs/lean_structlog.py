"""structlog, imported without the libraries that it takes in where they are installed.

It looks for rich (which brings attrs and Pygments) and others, for consoles and tracebacks that
nobody here draws. An environment that has them, for an app in Python say, would pay for them with a
fifth of each start. So this is imported before anything that logs.
"""

import sys

UNUSED = ("better_exceptions", "colorama", "greenlet", "rich", "twisted")

_hidden = [name for name in UNUSED if name not in sys.modules]
# None in its place is a module that can't be imported.
sys.modules.update(dict.fromkeys(_hidden))  # type: ignore[arg-type]
try:
    import structlog  # noqa: F401
finally:
    for name in _hidden:
        del sys.modules[name]
