"""Credentials that were committed by mistake, found by the forms that their issuers gave them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PATTERNS = {
    "private key": rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}",
    "AWS access key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})",
    "GitLab token": rb"\bglpat-[A-Za-z0-9_-]{20}",
    "npm token": rb"\bnpm_[A-Za-z0-9]{36}\b|_authToken=[^$\s]{10}",
    "PyPI token": rb"\bpypi-AgEIcHlwaS[A-Za-z0-9_-]{20}",
    "Slack token": rb"\bxox[abeprs]-[0-9A-Za-z-]{20}",
    "Google key": rb"\bAIza[0-9A-Za-z_-]{35}",
    "Stripe key": rb"\b[rs]k_live_[0-9A-Za-z]{24}",
    "JSON web token": rb"\beyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "NATS seed": rb"\bS[UAOCNX][A-Z2-7]{56}\b",
    "password in an address": rb"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}<>$]+:[^\s/:@'\"{}<>$]{6,}@[a-z]",
}
_COMPILED = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}


class Secret(NamedTuple):
    """`line` counts from 1. The secret itself is not told."""

    kind: str
    path: Path
    line: int


def secrets_in(content: bytes) -> Iterator[tuple[str, int]]:
    """Kind and line of each."""
    for kind, pattern in _COMPILED.items():
        for found in pattern.finditer(content):
            yield kind, content.count(b"\n", 0, found.start()) + 1


def search(paths: Iterable[Path], known: set[Path]) -> list[Secret]:
    """Those in files; `known` are keys of tests that open nothing."""
    return [
        Secret(kind, path, line)
        for path in paths
        if path.is_file() and path not in known
        for kind, line in secrets_in(path.read_bytes())
    ]
