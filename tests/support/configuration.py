"""Configurations of apps, written as tests need them."""

import json
from collections.abc import Sequence


def configuration(*sections: str) -> str:
    """The text of a `deskbus.toml`."""
    return "\n".join(sections)


def app(
    app_id: str,
    name: str | None = None,
    *,
    grants: Sequence[str] = (),
    declares: Sequence[str] = (),
    more: str = "",
) -> str:
    """A section `[[apps]]`; a grant is a permission and a scope, as in "messaging.read prices.#".

    Without `name` it is the last part of the id, with a capital. `more` is further TOML.
    """
    lines = [
        "[[apps]]",
        f"id = {json.dumps(app_id)}",
        f"name = {json.dumps(name or app_id.rsplit('.', 1)[-1].capitalize())}",
    ]
    for key, wanted in (("grants", grants), ("declares", declares)):
        if wanted:
            lines.append(f"{key} = [{', '.join(_grant(each) for each in wanted)}]")
    return "\n".join([*lines, more, ""])


def _grant(text: str) -> str:
    permission, scope = text.split(" ", 1)
    return f"{{ permission = {json.dumps(permission)}, scope = {json.dumps(scope)} }}"
