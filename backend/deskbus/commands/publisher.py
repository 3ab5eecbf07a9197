"""`deskbus publisher`: keys and signatures of those who publish apps."""

import base64
import binascii
import os
import secrets
from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec

from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import CommandError
from deskbus.components.component_settings import check_files
from deskbus.processes.installed_apps import WrittenManifest, check_manifest
from deskbus.security.identity.content_hash import ContentError, content_hash
from deskbus.security.identity.signatures import KEY_BYTES, public_key, sign
from deskbus.storage.handwritten_file import HandwrittenFileError
from deskbus.storage.regular_file import read_regular_file
from deskbus_protocol.manifest import Manifest


def run(options: Namespace) -> int:
    try:
        result = _keygen(options.key) if options.what == "keygen" else _sign(options)
    except HandwrittenFileError as error:
        raise CommandError(error.cause, error.action) from None
    except ContentError as error:
        raise CommandError(str(error)) from None
    output.emit(result)
    return 0


def _keygen(path: Path) -> dict[str, str]:
    """Raises `FileExistsError` rather than take a key's place."""
    key = secrets.token_bytes(KEY_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")
    return {"publisherKey": public_key(key)}


def _sign(options: Namespace) -> dict[str, str]:
    """Raises `HandwrittenFileError` for a file that is no manifest or no key, `ContentError`."""
    key = _read_key(options.key)
    path: Path = options.manifest
    content = read_regular_file(path)
    written = WrittenManifest(path, Manifest)
    manifest = written.read_json(content)
    check_manifest(written, manifest)
    check_files(manifest, path.parent, written.error)
    said: dict[str, Any] = msgspec.json.decode(content)
    said["publisher_key"] = public_key(key)
    said.pop("signature", None)
    # The manifest on disk has to say what is signed before the folder is looked at.
    manifest = _write(path, said)
    digest = content_hash(manifest, path.parent, owns_folder=True)
    said["signature"] = sign(key, digest)
    _write(path, said)
    return {
        "publisherKey": said["publisher_key"],
        "signature": said["signature"],
        "content": digest,
    }


def _write(path: Path, said: dict[str, Any]) -> Manifest:
    manifest = msgspec.convert(said, Manifest)
    fresh = path.with_suffix(".signing")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n")
    fresh.replace(path)
    return manifest


def _read_key(path: Path) -> bytes:
    try:
        key = base64.b64decode(read_regular_file(path).strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        words = "it is no private key of deskbus publisher keygen"
        raise HandwrittenFileError(str(path), words, "Name the file that keygen wrote.")
    return key
