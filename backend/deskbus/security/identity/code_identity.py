"""An app's identity, to which grants are bound: its publisher's key, or else its content."""

from pathlib import Path
from typing import NamedTuple

import structlog
from msgspec import UnsetType

from deskbus.security.identity.content_hash import ContentError, content_hash
from deskbus.security.identity.signatures import fingerprint, is_signed
from deskbus_protocol.manifest import Manifest

log = structlog.get_logger()


class CodeIdentity(NamedTuple):
    """`bound` is what grants are kept for besides the app's id; `content` its hash.

    With a `problem` nothing that a person allowed counts, and nobody is asked: the app says it is
    a publisher's and the signature does not fit, or its files can't be read.
    """

    bound: str
    content: str = ""
    verified: bool = False
    problem: str | None = None


NOT_KNOWN = CodeIdentity(bound="")
"""The identity of an app whose files are being read: no consent counts for it yet."""

UNREADABLE = CodeIdentity(bound="", problem="its files can't be read")

NOT_CHECKED = CodeIdentity(bound="", problem="its publisher's signature is not checked yet")


def identify(manifest: Manifest, folder: Path, owns_folder: bool = False) -> CodeIdentity:
    """Reads the app's files; blocks."""
    try:
        content = content_hash(manifest, folder, owns_folder=owns_folder)
    except ContentError as error:
        log.warning("app.content_unreadable", app=manifest.id, reason=str(error))
        return UNREADABLE
    key, signature = manifest.publisher_key, manifest.signature
    if isinstance(key, UnsetType):
        return CodeIdentity(bound=f"content:{content}", content=content)
    if isinstance(signature, UnsetType) or not is_signed(key, signature, content):
        log.warning("app.signature_does_not_fit", app=manifest.id)
        return CodeIdentity(
            bound="", content=content, problem="its publisher's signature does not fit"
        )
    return CodeIdentity(bound=f"key:{fingerprint(key)}", content=content, verified=True)
