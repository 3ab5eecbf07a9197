"""The words for how long an answer holds, the same in dialogs, panels, reports and the CLI."""

from deskbus_protocol.ui import Remember

REMEMBER_WORDS: dict[Remember, str] = {
    "once": "Just once",
    "session": "While it runs",
    "month": "30 days",
    "always": "Always",
}
"""Those of `Holds` are among them: a month is `always` with an end."""


def hold_words(holds: str) -> str:
    """The words for `once`, `session` or `always`; a word that this version does not know stays."""
    return next((words for known, words in REMEMBER_WORDS.items() if known == holds), holds)
