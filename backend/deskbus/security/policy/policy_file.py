"""The policy's file: TOML, with one `[[rules]]` table for each rule.

[[rules]]
app = "com.example.*"
permission = "network"
scope = "https://*.example.com"
effect = "allow"

[[rules]]
permission = "network"
effect = "deny"
"""

import os
import stat
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, UnsetType

from deskbus.security.canonical_scope import resolve
from deskbus.security.model.grant_matching import GrantMatching
from deskbus.security.policy.policy import ANY, NO_POLICY, Policy, PolicyRule
from deskbus.storage.handwritten_file import HandwrittenFile, HandwrittenFileError, near
from deskbus.storage.regular_file import open_regular_file
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.permissions import Grant

FILE_NAME = "policy.toml"
MAX_BYTES = 4 * 1024 * 1024


class PolicyError(Exception):
    """The policy can't be used; the message says where and why."""


class PolicyTables(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An administrator's rules over what people decide."""

    rules: Annotated[list[PolicyRule], Meta(max_length=10_000)] = []


class PolicyFile:
    """Blocks on the disk."""

    def __init__(self, path: Path, catalogue: Catalogue, *, required: bool) -> None:
        """`required` says that the configuration names it, so it has to be there."""
        self.path = path
        self._catalogue = catalogue
        self._rules = GrantMatching(catalogue)
        self._required = required

    def read(self) -> Policy:
        """The policy in the file, or none where none is configured anywhere: where there need not
        be one, and nothing of that name is there. Raises `PolicyError` for anything else.
        """
        try:
            text = self._bytes()
        except FileNotFoundError:
            if os.path.lexists(self.path):
                raise PolicyError(f"{self.path} is a link that leads nowhere") from None
            if self._required:
                raise PolicyError(f"{self.path} is not there") from None
            return NO_POLICY
        except OSError as error:
            raise PolicyError(f"{self.path}: {error.strerror}") from None
        # Once there was one it may not just vanish.
        self._required = True
        written = HandwrittenFile(self.path, PolicyTables)
        try:
            rules = written.read_toml(text).rules
        except HandwrittenFileError as error:
            raise PolicyError(str(error)) from None
        checked = [self._checked(written, number, rule) for number, rule in enumerate(rules)]
        lines = [written.line_of(f"rules[{number}]") for number in range(len(checked))]
        places = [f"{self.path}:{line}" if line else str(self.path) for line in lines]
        return Policy(checked, text, places)

    def _bytes(self) -> bytes:
        with open_regular_file(self.path) as file:
            known = os.fstat(file.fileno())
            if os.name == "posix" and known.st_mode & stat.S_IWOTH:
                raise PolicyError(f"{self.path} can be written to by everybody")
            text = file.read(MAX_BYTES + 1)
        if not text.strip():
            # So a write that failed looks, too. A policy that says nothing says so in a comment.
            raise PolicyError(f"{self.path} is empty")
        if len(text) > MAX_BYTES:
            # The part that is cut off might be the one that denies.
            raise PolicyError(f"{self.path} is larger than {MAX_BYTES} bytes")
        return text

    def _checked(
        self, written: HandwrittenFile[PolicyTables], number: int, rule: PolicyRule
    ) -> PolicyRule:
        place = f"rules[{number}]"

        def error(key: str, cause: str, action: str) -> PolicyError:
            return PolicyError(str(written.error(f"{place}.{key}", cause, action)))

        if rule.permission == ANY:
            if not isinstance(rule.scope, UnsetType):
                cause = "a scope needs a permission that it is of"
                raise error("scope", cause, "Name the permission, or take the scope out.")
            return rule
        if rule.permission not in self._catalogue:
            offer = near(rule.permission, self._catalogue) or "docs/permissions.md lists them."
            raise error("permission", f"there is no permission {rule.permission}", offer)
        if isinstance(rule.scope, UnsetType):
            return rule
        try:
            resolved = resolve(self._catalogue, Grant(rule.permission, rule.scope))
            if self._catalogue.enforced(rule.permission):
                self._rules.check(resolved)
        except DeskbusError as refused:
            raise error("scope", refused.message, refused.action) from None
        return msgspec.structs.replace(rule, scope=resolved.scope)
