"""The licences of packages: those that go along with the product let anybody pass it on."""

import re
from collections.abc import Mapping
from importlib.metadata import PackageMetadata

PERMISSIVE = {
    *("0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"),
    *("MIT-0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib", "CC0-1.0", "HPND", "MIT-CMU"),
}
FOR_TOOLS = PERMISSIVE | {"MPL-2.0", "LGPL-2.1-or-later", "GPL-3.0-or-later", "AGPL-3.0"}
"""Of what only builds or tests, no part of which is passed on."""

WORDS = {
    r"apache": "Apache-2.0",
    r"3-clause bsd|bsd 3-clause|new bsd": "BSD-3-Clause",
    r"bsd": "BSD-3-Clause",
    r"^mit\b": "MIT",
    r"mozilla|mpl": "MPL-2.0",
    r"python software foundation|\bpsf|license agreement for matplotlib": "PSF-2.0",
    r"lgpl": "LGPL-2.1-or-later",
    r"historical permission": "HPND",
}
"""The names that packages wrote before SPDX expressions, in any case."""


def licence_of(metadata: PackageMetadata) -> str:
    """An SPDX expression, or the empty text where nothing is said."""
    (expression, *_) = metadata.get_all("License-Expression") or [""]
    if expression:
        return str(expression)
    classified = [
        each.rpartition(" :: ")[2]
        for each in metadata.get_all("Classifier") or []
        if each.startswith("License ::") and not each.endswith("OSI Approved")
    ]
    said = [*classified, (metadata.get_all("License") or [""])[0].split("\n")[0].strip()]
    for words in filter(None, said):
        if words in FOR_TOOLS:
            return str(words)
        for pattern, licence in WORDS.items():
            if re.search(pattern, words.lower()):
                return licence
    return ""


def is_allowed(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression can be met by `allowed` alone: any side of OR, all of AND."""
    text = expression.strip("() ")
    if " OR " in text:
        return any(is_allowed(part, allowed) for part in text.split(" OR "))
    parts = [part.strip("() ").partition(" WITH ")[0] for part in text.split(" AND ")]
    return all(part in allowed for part in parts)


def refused(licences: Mapping[str, str], allowed: set[str]) -> dict[str, str]:
    """Those packages whose licence is none of `allowed`, or is not told."""
    return {
        name: licence or "not told"
        for name, licence in sorted(licences.items())
        if not is_allowed(licence, allowed)
    }
