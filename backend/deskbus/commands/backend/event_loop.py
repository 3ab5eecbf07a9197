"""Runs a coroutine on the fastest event loop that this machine has."""

import importlib.util
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

T = TypeVar("T")


def run(main: Callable[[], Awaitable[T]]) -> T:
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    return anyio.run(main, backend_options={"use_uvloop": has_uvloop})
