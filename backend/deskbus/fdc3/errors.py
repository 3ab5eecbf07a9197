"""The errors of FDC3: texts of the standard's enumerations, and never another one."""

from typing import Literal

ErrorText = Literal[
    "AccessDenied",
    "ApiTimeout",
    "AppNotFound",
    "AppTimeout",
    "CreationFailed",
    "ErrorOnClose",
    "ErrorOnLaunch",
    "IntentDeliveryFailed",
    "IntentHandlerRejected",
    "IntentListenerConflict",
    "InvalidArguments",
    "MalformedContext",
    "NoAppsFound",
    "NoChannelFound",
    "NoResultReturned",
    "ResolverTimeout",
    "ResolverUnavailable",
    "TargetAppUnavailable",
    "TargetInstanceUnavailable",
    "UserCancelledResolution",
]
"""OpenError, ResolveError, ResultError, ChannelError and AgentError of FDC3 2.2 and 3.0.

`ListenerNotFound`, which FINOS's own agent answers, is in none of them: `InvalidArguments` it is.
"""


class DacpError(Exception):
    """Answered to the app as the `error` of the response's payload."""

    def __init__(self, text: ErrorText) -> None:
        super().__init__(text)
        self.text: ErrorText = text
