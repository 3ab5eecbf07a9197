"""The capabilities of the backend that its methods, its health and its metrics speak for."""

from typing import NamedTuple

from deskbus.components.access.access_control import AccessControl
from deskbus.components.apps.app_processes import AppProcesses
from deskbus.components.audit.auditing import Auditing
from deskbus.components.connections.browser_apps import BrowserApps
from deskbus.components.connections.connections import Connections
from deskbus.components.desk_layouts import DeskLayouts
from deskbus.components.fdc3.fdc3 import Fdc3
from deskbus.components.messaging.federation_bridge import FederationBridge
from deskbus.components.messaging.messaging import Messaging
from deskbus.components.monitoring.forwarding import Forwarding
from deskbus.components.monitoring.tracing import Tracing
from deskbus.components.user_interface import UserInterface
from deskbus.vault.service import VaultService


class Capabilities(NamedTuple):
    user_interface: UserInterface
    vault: VaultService
    auditing: Auditing
    access: AccessControl
    messaging: Messaging
    tracing: Tracing
    connections: Connections
    apps: AppProcesses
    federation_bridge: FederationBridge
    forwarding: Forwarding
    browser_apps: BrowserApps
    fdc3: Fdc3
    layouts: DeskLayouts
