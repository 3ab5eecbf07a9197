"""The method table: every row of every domain, by name."""

from deskbus_protocol import apps, bus, health, history, permissions, secrets, session, ui
from deskbus_protocol.method import Method

METHODS: dict[str, Method] = {
    row.name: row
    for domain in (session, bus, history, permissions, secrets, apps, ui, health)
    for row in domain.METHODS
}
