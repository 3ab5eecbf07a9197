"""Entrances: the ways in for browsers."""

from typing import NamedTuple

from deskbus.web.origins.browser_entrance import BrowserEntrance
from deskbus.web.origins.operator_access import OperatorAccess
from deskbus.web.origins.pairing_requests import PairingRequests


class Entrances(NamedTuple):
    """`apps` lets browsers in for apps, by codes and tokens; `pairings` has a person asked first.

    `operators` lets them look and act in the control centre.
    """

    apps: BrowserEntrance
    pairings: PairingRequests
    operators: OperatorAccess
