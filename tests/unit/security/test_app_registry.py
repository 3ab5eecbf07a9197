"""Questions about an app wait for that app's files, and for no other's."""

import anyio
import anyio.lowlevel
import pytest

from deskbus.security.app_registry import AppRegistry
from deskbus.security.model.effective_permissions import AppRules
from tests.unit.security.desk import ITSELF

pytestmark = pytest.mark.requirement("3.2")

RULES = AppRules(grants=(), declares=(), name="App")


def registry(*apps: str) -> AppRegistry:
    return AppRegistry(dict.fromkeys(apps, RULES), lambda _: None)


async def test_an_app_does_not_wait_for_another_whose_files_are_still_read() -> None:
    apps = registry("small", "large")
    apps.register("small", RULES, ITSELF)
    with anyio.fail_after(20):
        await apps.identified("small")
        await apps.identified("unknown")


async def test_an_app_waits_until_its_own_files_are_read_or_it_is_gone() -> None:
    apps = registry("read", "gone")
    waited: list[str] = []

    async def wait(app: str) -> None:
        await apps.identified(app)
        waited.append(app)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for app in ("read", "gone"):
                tasks.start_soon(wait, app)
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            assert waited == []
            apps.register("read", RULES, ITSELF)
            apps.unregister("gone")
    assert sorted(waited) == ["gone", "read"]
