"""Trust above the policy comes from how a session was opened, and from no id."""

import pytest

from deskbus.security.policy.policy import DENY_ALL
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.permissions import Grant
from tests.unit.security.desk import Desk

pytestmark = pytest.mark.requirement("3.2")

NAMES = ["deskbus.shell", "deskbus.developer", "deskbus.federation", "deskbus.x", "deskbus"]


@pytest.mark.parametrize("app", NAMES)
async def test_no_id_opens_anything(app: str) -> None:
    async with Desk().running() as desk:
        who = ClientId(app, "main")
        desk.security.apply(DENY_ALL)
        assert not desk.security.checker.may_read(who, "prices.dax")
        assert not desk.security.checker.may_write(who, "prices.dax")
        assert not desk.security.checker.may_send(who, "desk.ticker")
        with pytest.raises(DeskbusError):
            await desk.security.permissions.require(who, Grant("filesystem.read", "/etc/passwd"))
        desk.security.trust(who)
        assert desk.security.checker.may_read(who, "prices.dax")
        assert desk.security.checker.may_write(who, "prices.dax")
        assert desk.security.checker.may_send(who, "desk.ticker")
        # Only this client of it.
        assert not desk.security.checker.may_read(ClientId(app, "other"), "prices.dax")
        desk.security.distrust(who)
        assert not desk.security.checker.may_write(who, "prices.dax")
