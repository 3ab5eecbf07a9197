"""PolicyService: the policy that stands, and what to do about a file that can't be used."""

from collections.abc import Callable

import anyio
import structlog
from msgspec import UNSET

from deskbus.contracts.audit_sink import AuditSink
from deskbus.security.policy.policy import DENY_ALL, Policy
from deskbus.security.policy.policy_file import PolicyError, PolicyFile
from deskbus_protocol.errors import CONFLICT, DeskbusError
from deskbus_protocol.events import PolicyChanged
from deskbus_protocol.policy import PolicyStatus

log = structlog.get_logger()


class PolicyService:
    """Applies the file's policy through `apply`.

    A file that can't be used never opens anything: what stood before stands on; at the start, when
    nothing stood, everything is denied until the file is right.
    """

    def __init__(self, file: PolicyFile, apply: Callable[[Policy], None], trail: AuditSink) -> None:
        self._file = file
        self._apply = apply
        self._trail = trail
        self._policy: Policy | None = None
        self._turn = anyio.Lock()
        self.problem: str | None = None

    def status(self) -> PolicyStatus:
        policy = self._policy or DENY_ALL
        return PolicyStatus(
            file=str(self._file.path),
            rules=len(policy.rules),
            hash=policy.hash,
            problem=UNSET if self.problem is None else self.problem,
        )

    async def start(self) -> None:
        """Reads the file for the first time."""
        try:
            self._policy = await anyio.to_thread.run_sync(self._file.read)
        except PolicyError as error:
            self._refuse(error, "everything is denied until it is right")
            self._apply(DENY_ALL)
            return
        if self._policy.rules:
            self._trail.note(_changed("", self._policy))
        self._apply(self._policy)

    async def reload(self) -> None:
        """Raises `DeskbusError`: conflict for a file that can't be used, audit_unavailable."""
        async with self._turn:
            try:
                policy = await anyio.to_thread.run_sync(self._file.read)
            except PolicyError as error:
                self._refuse(error, "what stood before stands on")
                raise DeskbusError(
                    CONFLICT,
                    f"The policy was not changed: {error}",
                    action="Correct the file, then reload it.",
                ) from None
            before = self._policy.hash if self._policy else ""
            if self._policy is None or policy.hash != before:
                await self._trail.commit(_changed(before, policy))
            self._policy, self.problem = policy, None
            self._apply(policy)
            log.info("policy.applied", rules=len(policy.rules), hash=policy.hash[:16])

    def _refuse(self, error: PolicyError, what_stands: str) -> None:
        self.problem = f"the policy can't be used, {what_stands}: {error}"
        log.error("policy.refused", reason=str(error))


def _changed(before: str, policy: Policy) -> PolicyChanged:
    return PolicyChanged(
        actor="policy",
        before=before,
        after=policy.hash,
        change=f"A policy of {len(policy.rules)} rules applies.",
    )
