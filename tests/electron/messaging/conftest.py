"""The two windows that send and receive messages, connected."""

import pytest

from demo.devtools import Page
from demo.electron import ElectronSession


async def _connected(electron: ElectronSession, query: str) -> Page:
    window = await electron.window(query)
    await window.until("window.deskbus && deskbus.state() === 'open'")
    return window


@pytest.fixture
async def sender(electron: ElectronSession) -> Page:
    """The window of an app that may write every topic."""
    return await _connected(electron, "?sender")


@pytest.fixture
async def receiver(electron: ElectronSession) -> Page:
    """The window of an app that may read every topic."""
    return await _connected(electron, "?receiver")
