"""AppRegistry: the apps that are known, and what each of them is."""

from collections.abc import Callable, Iterator, Mapping

import anyio

from deskbus.security.identity.code_identity import NOT_CHECKED, NOT_KNOWN, CodeIdentity
from deskbus.security.model.effective_permissions import AppRules


class AppRegistry:
    """`on_changed` is told each app that came, went, or is another than before.

    A question about an app waits for that app's files to be read, and for no other's.
    """

    def __init__(self, apps: Mapping[str, AppRules], on_changed: Callable[[str], None]) -> None:
        self._rules = dict(apps)
        self._identities: dict[str, CodeIdentity] = {}
        self._being_read = {app: anyio.Event() for app in apps}
        self._on_changed = on_changed

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def rules(self, app: str) -> AppRules | None:
        return self._rules.get(app)

    def identity(self, app: str) -> CodeIdentity:
        """The app's identity, as far as it is known by now."""
        known = self._identities.get(app)
        if known is not None:
            return known
        rules = self._rules.get(app)
        return NOT_CHECKED if rules is not None and rules.signed else NOT_KNOWN

    def register(self, app: str, rules: AppRules, identity: CodeIdentity | None) -> None:
        """Without an identity, nothing that the app was allowed counts until one is known.

        The caller then reads its files, and registers it again with its identity.
        """
        if identity is None:
            self._identities.pop(app, None)
            self._being_read.setdefault(app, anyio.Event())
        else:
            self._read(app)
            if self._rules.get(app) == rules and self._identities.get(app) == identity:
                return
            self._identities[app] = identity
        self._rules[app] = rules
        self._on_changed(app)

    def change_rules(self, app: str, rules: AppRules) -> None:
        """Replaces the rules of an app that is otherwise unchanged."""
        if self._rules.get(app) != rules:
            self._rules[app] = rules
            self._on_changed(app)

    def unregister(self, app: str) -> None:
        self._rules.pop(app, None)
        self._identities.pop(app, None)
        self._read(app)
        self._on_changed(app)

    async def identified(self, app: str) -> None:
        """Returns when the app's files have been read, or it has gone."""
        # A call that gave up its turn here would be overtaken by the message behind it.
        while (being_read := self._being_read.get(app)) is not None:
            await being_read.wait()

    def _read(self, app: str) -> None:
        waited_for = self._being_read.pop(app, None)
        if waited_for is not None:
            waited_for.set()
