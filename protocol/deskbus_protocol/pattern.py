"""Regular expressions that mean the same to Python's `re` and to ECMA's, so to every schema."""


def whole(expression: str) -> str:
    r"""A pattern that a text fits as a whole.

    `$` alone fits before a newline at the end in Python, and `\Z` is no ECMA: so neither does.
    """
    return rf"^(?:{expression})$(?!\n)"
