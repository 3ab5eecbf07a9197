"""PermissionExplainer: why an app has a permission, or has not."""

from msgspec import UNSET, UnsetType

from deskbus.security.model.effective_permissions import VerdictBasis
from deskbus.security.policy.policy import PolicyRule
from deskbus.security.service import SecurityManager
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.permissions import (
    DecidedBy,
    Grant,
    PermissionExplanation,
    State,
)


class PermissionExplainer:
    def __init__(self, security: SecurityManager) -> None:
        self._security = security

    async def explain(self, app: str, worded: Grant) -> PermissionExplanation:
        """Raises `DeskbusError` (invalid_params) for a scope outside its permission's grammar."""
        security = self._security
        await security.apps.identified(app)
        security.rules.check_offered(worded.permission)
        wanted = await security.permissions.resolve(worded)
        state = security.permissions.state_of(ClientId(app, "main"), wanted)
        if security.apps.rules(app) is None and not security.checker.is_trusted(app):
            words = "there is no such app, neither installed nor in the configuration"
            return _explanation(app, wanted, "denied", "nothing", words)
        basis = security.checker.basis(app, wanted)
        place = security.checker.policy.place_of(basis.rule) if basis.rule is not None else ""
        return _of(app, wanted, state, basis, place)


def _of(
    app: str, wanted: Grant, state: State, basis: VerdictBasis, place: str
) -> PermissionExplanation:
    why = basis.verdict.why
    if why == "trusted":
        words = "the backend was started with --consent allow, for development"
        return _explanation(app, wanted, state, "development", words)
    if why == "policy":
        return _explanation(
            app, wanted, state, "policy", _policy_words(basis.rule), _rule_text(basis.rule), place
        )
    if why == "person" and basis.decision is not None:
        decision = basis.decision
        said = "allowed" if decision.allowed else "denied"
        holds = "while the app runs" if decision.holds == "session" else "from then on"
        return PermissionExplanation(
            app=app,
            permission=wanted.permission,
            scope=wanted.scope,
            state=state,
            decided_by="person",
            because=f"a person has {said} it, {holds}",
            rule=_grant_text(decision.grant),
            holds=decision.holds,
            since=decision.since,
            until=UNSET if decision.until is None else decision.until,
        )
    if why == "config":
        words = "the configuration grants it to the app"
        return _explanation(app, wanted, state, "configuration", words, _grant_text(basis.grant))
    if why == "identity":
        words = "the app is not what it says it is, so nothing that was granted counts"
        return _explanation(app, wanted, state, "identity", words)
    if why == "undeclared":
        words = "the app's manifest does not declare it, so nobody is asked"
        return _explanation(app, wanted, state, "manifest", words)
    if state == "prompt":
        words = "the app declares it, and nobody has decided: a person is asked"
        return _explanation(app, wanted, state, "manifest", words, _grant_text(basis.grant))
    words = "nobody has decided, and no person is asked for now: too often in vain, or switched off"
    return _explanation(app, wanted, state, "embargo", words, _grant_text(basis.grant))


def _explanation(
    app: str,
    wanted: Grant,
    state: State,
    decided_by: DecidedBy,
    because: str,
    rule: str | UnsetType = UNSET,
    place: str = "",
) -> PermissionExplanation:
    return PermissionExplanation(
        app=app,
        permission=wanted.permission,
        scope=wanted.scope,
        state=state,
        decided_by=decided_by,
        because=because,
        rule=rule,
        place=place or UNSET,
    )


def _policy_words(rule: PolicyRule | None) -> str:
    if rule is None or rule.effect == "ask":
        return "the administrator's policy wants a person to be asked each time the app runs"
    return f"the administrator's policy {'allows' if rule.effect == 'allow' else 'denies'} it"


def _rule_text(rule: PolicyRule | None) -> str | UnsetType:
    if rule is None:
        return UNSET
    scope = "" if isinstance(rule.scope, UnsetType) else f" {rule.scope}"
    return f"{rule.effect} {rule.permission}{scope} to {rule.app}"


def _grant_text(grant: Grant | None) -> str | UnsetType:
    return UNSET if grant is None else f"{grant.permission} {grant.scope}"
