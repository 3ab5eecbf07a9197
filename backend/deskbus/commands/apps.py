"""`deskbus apps`: what runs and what it uses, and what a person wants of it."""

from argparse import Namespace
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import MisuseError
from deskbus_protocol.apps import AppList, AppStats, AppStatus, StatsResult
from deskbus_protocol.client import Client

MEGABYTE = 1024 * 1024

Action = Callable[[Client], Coroutine[Any, Any, None]]


def run(options: Namespace) -> int:
    """Raises `MisuseError` for what are no limits."""
    try:
        action = _action(options)
    except (ValueError, msgspec.MsgspecError) as error:
        raise MisuseError(str(error)) from None
    return run_with_client(options, action)


def _action(options: Namespace) -> Action:
    if options.what == "list":
        return _list
    if options.what == "stats":
        return partial(_stats, app=options.name)
    if options.what == "install":
        manifest = str(Path(options.name).resolve())
        return partial(_call, method="apps.install", params={"manifest": manifest})
    if options.what == "limit":
        return partial(
            _call,
            method="apps.setLimits",
            params={"app": options.name, "limits": limits_of(options.limits)},
        )
    return partial(_call, method=f"apps.{options.what}", params={"app": options.name})


def limits_of(words: Sequence[str]) -> dict[str, float]:
    """`memory_mb=256` and so on, as a manifest has them; raises `ValueError`."""
    limits = {}
    for word in words:
        name, equals, number = word.partition("=")
        if not equals:
            raise ValueError(f"{word}: write a limit as memory_mb=256")
        try:
            limit = float(number) if name == "cpu_percent" else int(number)
            if not isfinite(limit) or limit <= 0:
                raise ValueError
            limits[name] = limit
        except ValueError:
            raise ValueError(f"{word}: {number} is no number that this limit can have") from None
    return limits


async def _list(client: Client) -> None:
    result: AppList = await client.call("apps.list", result=AppList)
    stats: StatsResult = await client.call("apps.stats", result=StatsResult)
    output.emit(result, rows(result.apps, {each.app: each for each in stats.apps}))


async def _stats(client: Client, *, app: str | None) -> None:
    params = {} if app is None else {"app": app}
    result: StatsResult = await client.call("apps.stats", params, result=StatsResult)
    output.emit(result, stat_rows(result.apps))


async def _call(client: Client, *, method: str, params: object) -> None:
    output.emit(await client.call(method, params))


def rows(apps: Sequence[AppStatus], stats: dict[str, AppStats]) -> list[list[str]]:
    """A table of the apps: the headings, then a row for each."""
    table = [["APP", "STATE", "PID", "CPU", "MEMORY", "WINDOWS", "RESTARTS", ""]]
    for app in apps:
        found = stats.get(app.app)
        sample = UNSET if found is None else found.sample
        used = ["–", "–"]
        if not isinstance(sample, UnsetType):
            used = [f"{sample.cpu_percent:.0f} %", f"{sample.memory_bytes / MEGABYTE:.0f} MB"]
        table.append(
            [
                app.app,
                app.state,
                _text(app.pid),
                *used,
                str(len(app.windows) or "–"),
                str(app.restarts or "–"),
                "" if isinstance(app.detail, UnsetType) else app.detail,
            ]
        )
    return table


def stat_rows(stats: Sequence[AppStats]) -> list[list[str]]:
    """A table of the resources that apps use, each beside its limit."""
    table = [["APP", "STATE", "UP", "CPU", "MEMORY", "PROCESSES", "FILES", "MESSAGES/S"]]
    for app in stats:
        sample, limits = app.sample, app.limits
        cpu = memory = processes = "–"
        if not isinstance(sample, UnsetType):
            cpu = f"{sample.cpu_percent:.0f}{_of(limits.cpu_percent)} %"
            memory = f"{sample.memory_bytes / MEGABYTE:.0f}{_of(limits.memory_mb)} MB"
            processes = f"{sample.processes}{_of(limits.processes)}"
        files = "–" if isinstance(app.open_files, UnsetType) else str(app.open_files)
        table.append(
            [
                app.app,
                app.state,
                "–" if isinstance(app.uptime, UnsetType) else _duration(app.uptime // 1000),
                cpu,
                memory,
                processes,
                files + (_of(limits.open_files) if files != "–" else ""),
                _text(limits.messages_per_s, "no limit"),
            ]
        )
    return table


def _text(value: object, otherwise: str = "–") -> str:
    return otherwise if isinstance(value, UnsetType) else str(value)


def _of(limit: float | UnsetType) -> str:
    return "" if isinstance(limit, UnsetType) else f" of {limit:g}"


def _duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
