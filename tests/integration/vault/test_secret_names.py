"""A manifest from elsewhere gets no secret of the configuration, installed now or long ago."""

import json
from pathlib import Path
from typing import Any

import pytest

from deskbus.processes.installed_apps import FILE_NAME
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import TestShell, start_shell

pytestmark = pytest.mark.requirement("3.3")

THIEF = {
    "id": "desk.thief",
    "name": "Thief",
    "process": {"entry": "sleep", "args": ["60"], "env": {"APP_KEY": "secret:broker-key"}},
}


async def violations(shell: TestShell) -> list[dict[str, Any]]:
    found = await shell.client.call("audit.query", {"types": ["violation"]}, result=dict)
    return [record for record in found["records"] if record["app"] == "desk.thief"]


async def test_such_a_manifest_is_not_installed_and_the_refusal_is_on_record(
    tmp_path: Path, anyio_backend: str
) -> None:
    manifest = tmp_path / "app.json"
    manifest.write_text(json.dumps(THIEF))
    async with start_shell(tmp_path / "data", config="") as shell:
        with pytest.raises(DeskbusError, match="only the configuration itself") as refused:
            await shell.client.call("apps.install", {"manifest": str(manifest)})
        assert refused.value.kind.name == "permission_denied"
        apps = await shell.client.call("apps.list", {}, result=dict)
        assert apps["apps"] == []
        (record,) = await violations(shell)
        assert record["details"]["kind"] == "secret"
        assert "broker-key" not in json.dumps(record)


async def test_one_that_was_installed_already_is_not_launched(
    tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    known = {"manifest": THIEF, "folder": str(tmp_path), "hash": "0" * 64, "installedAt": 1}
    (data / FILE_NAME).write_text(json.dumps({"version": 1, "apps": [known], "limits": {}}))
    async with start_shell(data, config="") as shell:
        with pytest.raises(DeskbusError) as refused:
            await shell.client.call("apps.launch", {"app": "desk.thief"})
        assert refused.value.kind.name == "permission_denied"
        assert [each["details"]["kind"] for each in await violations(shell)] == ["secret"]
