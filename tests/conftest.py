"""Fixtures for every test: which backend of anyio, and the count of proven requirements."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
