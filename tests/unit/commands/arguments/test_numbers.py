"""Numbers that make no sense are refused before anything is done with them."""

import pytest

from deskbus import cli


@pytest.mark.parametrize(
    "words",
    [
        ["sub", "a", "--count", "0"],
        ["sub", "a", "--count", "-1"],
        ["sub", "a", "--count", "nan"],
        ["sub", "a", "--count", "1.5"],
        ["sub", "a", "--count", "²"],
        ["sub", "a", "--count", str(2**70)],
        ["audit", "query", "--limit", "-1"],
        ["audit", "query", "--since", "-1"],
        ["replay", "--from", "99999999999999999999"],
        ["replay", "--from", "0001-01-01"],
        ["call", "health.get", "--wait", "nan"],
        ["call", "health.get", "--wait", "-1"],
        ["call", "health.get", "--timeout", "0"],
        ["call", "health.get", "--timeout", "inf"],
        ["apps", "limit", "a", "memory_mb=-1"],
        ["apps", "limit", "a", "cpu_percent=nan"],
        ["vault", "unlock", "--password-fd", "-1"],
        ["serve", "--headless", "--ready-fd", "x"],
    ],
)
def test_a_number_that_makes_no_sense_is_misuse(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if words[:2] == ["audit", "query"] and "--since" in words:
        words = [*words, "--log", "/nonexistent"]
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err
