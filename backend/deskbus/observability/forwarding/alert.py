"""Alert: a change of health, told to the company's systems beside the audit records."""

from typing import NamedTuple

from deskbus_protocol.health import Status


class Alert(NamedTuple):
    """`time` is Unix milliseconds."""

    time: int
    component: str
    status: Status
    detail: str
