"""Fixtures for every test, and how long hypothesis looks: `--hypothesis-profile=long`."""

import os

import pytest
from hypothesis import settings

# No test touches the keychain of whoever runs it; those that need one start their own.
os.environ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


settings.register_profile("short", max_examples=100, deadline=None)
settings.register_profile("long", max_examples=10_000, deadline=None)
settings.load_profile("short")
