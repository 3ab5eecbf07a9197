"""Plural categories of whole numbers, by the rules of Unicode's CLDR. Pure."""

from collections.abc import Callable, Mapping

from deskbus.languages.message_format import OTHER

Category = Callable[[int], str]


def category_by(rules: Mapping[str, str]) -> Category:
    """Tells the category of a number. `rules` are CLDR's conditions, such as `n % 10 = 2..4`.

    Raises `ValueError` for a rule that can't be read.
    """
    conditions = {name: _any(rule) for name, rule in rules.items()}

    def category(number: int) -> str:
        size = abs(number)
        return next((name for name, fits in conditions.items() if fits(size)), OTHER)

    return category


def _any(rule: str) -> Callable[[int], bool]:
    ways = [[_relation(each) for each in way.split(" and ")] for way in rule.split(" or ")]
    return lambda number: any(all(fits(number) for fits in way) for way in ways)


def _relation(text: str) -> Callable[[int], bool]:
    """Evaluates one of CLDR's relations. Of a whole number `n` and `i` are itself, all other
    operands 0.
    """
    negated = "!=" in text
    left, _, right = text.partition("!=" if negated else "=")
    operand, *modulus = left.split("%")
    spans = [span.partition("..") for span in right.split(",")]
    wanted = [range(int(first), int(last or first) + 1) for first, _, last in spans]
    divisor = int(modulus[0]) if modulus else 0
    is_itself = operand.strip() in ("n", "i")

    def fits(number: int) -> bool:
        value = number if is_itself else 0
        if divisor:
            value %= divisor
        return any(value in one for one in wanted) is not negated

    return fits
