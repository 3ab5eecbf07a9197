"""The pages for users name tests and methods that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEST = re.compile(r"def (test_\w+)\(")


def test_every_proof_in_the_page_on_failures_is_a_test() -> None:
    known = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in TEST.findall(path.read_text("utf-8"))
    }
    page = (ROOT / "docs/degradation.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 5
    assert named - known == set()
