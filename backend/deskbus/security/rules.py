"""What a grant covers. Pure: no clock, no store."""

from collections.abc import Iterable

from deskbus_protocol.errors import INVALID_PARAMS, DeskbusError
from deskbus_protocol.permissions import Grant
from deskbus_protocol.secrets import OWN_SECRETS
from deskbus_protocol.topics import check_pattern, covers, matches

TOPIC_PERMISSIONS = frozenset({"messaging.read", "messaging.write"})


def check_scope(wanted: Grant) -> None:
    """Raises `DeskbusError` (invalid_topic, invalid_params) for a scope outside the grammar."""
    if wanted.permission in TOPIC_PERMISSIONS:
        check_pattern(wanted.scope)
    elif wanted.permission == "secrets":
        if wanted.scope != OWN_SECRETS:
            raise DeskbusError(INVALID_PARAMS, f"The scope of secrets is {OWN_SECRETS}.")
    elif (
        wanted.permission == "app.send"
        and not wanted.scope.replace(".", "").replace("-", "").isalnum()
    ):
        raise DeskbusError(INVALID_PARAMS, "The scope of app.send is an app id.")


def grant_covers(given: Grant, wanted: Grant) -> bool:
    """Whether `given` permits all that `wanted` asks for."""
    if given.permission != wanted.permission:
        return False
    if given.permission in TOPIC_PERMISSIONS:
        return covers(given.scope, wanted.scope)
    return given.scope == wanted.scope


def denial_covers(denied: Grant, wanted: Grant) -> bool:
    """Whether a denial of `denied` also denies `wanted`: the same, less, or more of it.

    Who was refused one topic is not asked again for it under a wider pattern.
    """
    return grant_covers(denied, wanted) or grant_covers(wanted, denied)


def any_covers(given: Iterable[Grant], wanted: Grant) -> bool:
    return any(grant_covers(grant, wanted) for grant in given)


def any_permits_topic(given: Iterable[Grant], permission: str, topic: str) -> bool:
    """Whether one of the grants permits this one topic."""
    return any(grant.permission == permission and matches(grant.scope, topic) for grant in given)
