"""Every permission that is offered is refused without a grant, and works with one."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deskbus_protocol.catalogue import BUILT_IN, Catalogue
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import TestShell, start_shell

pytestmark = pytest.mark.requirement("3.2")

ROOT = Path(__file__).resolve().parents[2]


class Use(NamedTuple):
    """A call that needs a permission; `{folder}` stands for a folder of the test's own.

    `answer` is the error with which it ends where it is permitted but there is nobody to do it.
    """

    permission: str
    scope: str
    method: str
    params: dict[str, Any]
    answer: str | None = None


def _each(permission: str, scope: str, **calls: dict[str, Any]) -> list[Use]:
    return [Use(permission, scope, name.replace("_", "."), call) for name, call in calls.items()]


ONE_BY_ONE = [
    *_each(
        "messaging.read",
        "prices.#",
        bus_subscribe={"pattern": "prices.#"},
        bus_history={"topic": "prices.a"},
        bus_query={"pattern": "prices.#"},
        bus_replay={"pattern": "prices.#"},
    ),
    *_each("messaging.write", "prices.#", bus_publish={"topic": "prices.a", "payload": 1}),
    Use(
        *("messaging.write", "prices.#", "bus.request"),
        {"topic": "prices.a", "payload": 1},
        "no_subscriber",
    ),
    *_each(
        "history",
        "kept.#",
        bus_history={"topic": "kept.a"},
        bus_query={"pattern": "kept.#"},
        bus_replay={"pattern": "kept.#"},
    ),
    *_each(
        "app.send",
        "desk.other",
        bus_send={"app": "desk.other", "topic": "to.you", "payload": 1},
    ),
    Use(
        *("app.send", "desk.other", "bus.request"),
        {"app": "desk.other", "topic": "to.you", "payload": 1, "timeout": 1},
        "timeout",
    ),
    *_each("process.launch", "desk.other", apps_launch={"app": "desk.other"}),
    *_each(
        "secrets",
        "own",
        secrets_set={"name": "token", "value": "hidden"},
        secrets_get={"name": "token"},
        secrets_list={},
        secrets_delete={"name": "token"},
    ),
    *_each(
        "audit",
        "all",
        audit_query={},
        audit_export={},
        audit_stats={},
        audit_verify={},
        audit_tail={},
    ),
    *_each(
        "filesystem.read",
        "{folder}/read",
        files_read={"path": "{folder}/read/note"},
        files_list={"path": "{folder}/read"},
    ),
    *_each(
        "filesystem.write",
        "{folder}/written",
        files_write={"path": "{folder}/written/note", "content": "new"},
    ),
]
"""Uses of the permissions that the backend enforces: every method that needs one, by an app."""


def _named(uses: list[Use]) -> dict[str, Use]:
    """The first of each permission goes by its name alone."""
    named: dict[str, Use] = {}
    for use in uses:
        named[use.permission if use.permission not in named else " ".join(use[:3:2])] = use
    return named


USES = _named(ONE_BY_ONE)

DEVICES = "tests/electron/permissions/test_electron_permissions.py::"
REFUSED = DEVICES + "test_what_a_person_denied_or_no_manifest_declares_is_refused"
GRANTED = DEVICES + "test_what_a_person_allowed_works"
NETWORK = "tests/electron/permissions/test_network.py::"
LINK = DEVICES + "test_a_link_opens_another_program_only_where_that_is_granted"
FULLSCREEN = DEVICES + "test_a_page_fills_the_screen_only_where_that_is_granted"

ELECTRONS = (
    *("display.capture", "geolocation", "media.camera", "media.microphone"),
    *("midi", "midi.sysex", "notifications", "pointer.lock"),
)

PROOFS = {
    name: (
        f"tests/security/test_every_permission.py::test_without_a_grant_it_is_refused[{name}]",
        f"tests/security/test_every_permission.py::test_with_a_grant_it_works[{name}]",
    )
    for name in {use.permission for use in USES.values()}
}
PROOFS |= {name: (f"{REFUSED}[{name}]", f"{GRANTED}[{name}]") for name in ELECTRONS}
FDC3 = "tests/integration/desktop/test_fdc3.py::"
PROOFS |= {
    name: (
        f"{FDC3}test_without_a_grant_it_is_refused[{name}]",
        f"{FDC3}test_with_a_grant_it_works[{name}]",
    )
    for name in ("fdc3.context.read", "fdc3.context.write", "fdc3.raise", "fdc3.handle")
}
CENTRE = "tests/integration/control/test_control_centre.py::"
SEEN = CENTRE + "test_an_app_sees_what_operators_see_only_with_the_permission[control.overview]"
PROOFS |= {
    "control.view": (SEEN, SEEN),
    "control.act": (
        CENTRE + "test_who_may_look_may_not_act[apps.restart]",
        CENTRE + "test_every_action_is_recorded_with_who_and_on_what",
    ),
}
PROOFS["fdc3.choose"] = (
    "tests/unit/fdc3/dacp/test_intents.py::test_a_person_chooses_where_several_apps_take_the_intent",
    "tests/unit/fdc3/dacp/test_intents.py::test_a_choice_that_was_remembered_is_not_asked_for_again",
)
PROOFS |= {
    "external.open": (LINK, LINK),
    "fullscreen": (FULLSCREEN, FULLSCREEN),
    "network": (
        NETWORK + "test_no_way_round_leads_to_a_site_that_is_not_granted",
        NETWORK + "test_a_site_is_reached_only_where_it_is_granted",
    ),
}
"""The tests that show that a permission is refused, and that it works where it is granted.

Those of Electron run in the one that is here; what only later ones ask about is not offered by it.
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name in ("read", "written"):
        (folder / name).mkdir()
    (folder / "read" / "note").write_text("noted")
    return folder.resolve()


@pytest.fixture(scope="module")
async def shell(folder: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    all_of_them = ",".join(
        f'{{ permission = "{permission}", scope = "{scope.format(folder=folder)}" }}'
        for permission, scope in sorted({use[:2] for use in USES.values()})
    )
    # Looking back needs two permissions: everybody has the one that is not in question.
    kept = '{ permission = "messaging.read", scope = "kept.#" }'
    kept += ', { permission = "history", scope = "prices.#" }'
    config = f"""
[persistence]
topics = ["kept.#", "prices.#"]

[[apps]]
id = "desk.granted"
name = "Granted"
grants = [{all_of_them}, {kept}]

[[apps]]
id = "desk.refused"
name = "Refused"
declares = [{all_of_them}]
grants = [{kept}]

[[apps]]
id = "desk.other"
name = "Other"
grants = [{{ permission = "messaging.read", scope = "to.#" }}]
"""
    async with start_shell(folder / "data", config=config) as started:
        started.person = started.deny
        yield started


def with_folder(params: dict[str, Any], folder: Path) -> dict[str, Any]:
    return {
        key: value.format(folder=folder) if isinstance(value, str) else value
        for key, value in params.items()
    }


@pytest.mark.parametrize("name", USES)
async def test_without_a_grant_it_is_refused(shell: TestShell, folder: Path, name: str) -> None:
    use = USES[name]
    async with shell.app("desk.refused") as app, shell.app("desk.other") as other:
        await other.call("bus.subscribe", {"pattern": "to.#"})
        with pytest.raises(DeskbusError) as refused:
            await app.call(use.method, with_folder(use.params, folder))
    assert refused.value.kind.name == "permission_denied"


@pytest.mark.parametrize("name", USES)
async def test_with_a_grant_it_works(shell: TestShell, folder: Path, name: str) -> None:
    use = USES[name]
    asked_before = len(shell.dialogs)
    async with shell.app("desk.granted") as app, shell.app("desk.other") as other:
        await other.call("bus.subscribe", {"pattern": "to.#"})
        if use.answer is None:
            await app.call(use.method, with_folder(use.params, folder))
        else:
            with pytest.raises(DeskbusError) as ended:
                await app.call(use.method, with_folder(use.params, folder))
            assert ended.value.kind.name == use.answer
    assert len(shell.dialogs) == asked_before


def test_every_method_that_a_permission_of_the_backend_is_for_is_used_here() -> None:
    points = {
        (entry.name, point)
        for entry in BUILT_IN
        if entry.enforced_by in ("broker", "method")
        # Those of the desktop agent and of operators have tables of their own.
        and not entry.name.startswith(("fdc3.", "control."))
        for point in entry.points
        if not point.startswith("fdc3.")
    }
    assert {(use.permission, use.method) for use in USES.values()} == points


def test_each_permission_that_is_offered_has_its_proofs() -> None:
    catalogue = Catalogue()
    assert set(PROOFS) == {name for name in catalogue if catalogue.offered(name)}


def test_each_proof_is_a_test_that_there_is(request: pytest.FixtureRequest) -> None:
    here = {item.nodeid for item in request.session.items}
    if elsewhere := sorted({proof for pair in PROOFS.values() for proof in pair} - here):
        collected = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", *elsewhere],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert collected.returncode == 0, collected.stdout + collected.stderr
