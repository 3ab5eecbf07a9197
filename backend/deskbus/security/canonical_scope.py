"""Scopes made canonical, before anything is compared. Blocks on the file system for paths."""

import os

from deskbus.security.model.scope_grammar import canonical_origin, is_absolute
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.errors import INVALID_PARAMS, DeskbusError
from deskbus_protocol.permissions import Grant

MAX_PATH_BYTES = 4096


def resolve(catalogue: Catalogue, wanted: Grant) -> Grant:
    """Returns the grant with its scope in canonical form, in which scopes are compared.

    A path is absolute, without links, `.`, `..` and a slash at its end; `~` stands for the home
    folder. An origin is in lower case without its scheme's own port. Raises `DeskbusError`
    (invalid_params).
    """
    entry = catalogue.get(wanted.permission)
    if entry is None:
        return wanted
    if entry.scope == "path":
        return Grant(wanted.permission, canonical_path(wanted.scope))
    if entry.scope == "origin":
        return Grant(wanted.permission, canonical_origin(wanted.scope) or wanted.scope)
    return wanted


def as_worded(catalogue: Catalogue, wanted: Grant) -> Grant:
    """Returns the canonical form as far as the text alone determines it: no file system is
    accessed.

    An error told before an app is authorised may rest on this alone. Raises `DeskbusError`
    (invalid_params).
    """
    if not is_slow(catalogue, wanted.permission):
        return resolve(catalogue, wanted)
    path = os.path.normpath(_expanded(wanted.scope))
    return Grant(wanted.permission, "/" + path.lstrip("/") if path.startswith("//") else path)


def is_slow(catalogue: Catalogue, permission: str) -> bool:
    """Whether `resolve` looks at the file system."""
    entry = catalogue.get(permission)
    return entry is not None and entry.scope == "path"


def canonical_path(path: str) -> str:
    """Where `path` leads now; the end of it need not exist. Raises `DeskbusError`."""
    expanded = _expanded(path)
    try:
        return os.path.realpath(expanded)
    except (OSError, ValueError):
        raise DeskbusError(INVALID_PARAMS, "This path leads nowhere.") from None


def _expanded(path: str) -> str:
    """With the home folder in place of `~`. Raises `DeskbusError` for what is no absolute path."""
    expanded = os.path.expanduser(path) if path == "~" or path.startswith("~/") else path  # noqa: PTH111
    try:
        is_short = len(os.fsencode(expanded)) <= MAX_PATH_BYTES
    except UnicodeEncodeError:
        is_short = False
    if not is_absolute(expanded) or not is_short:
        raise DeskbusError(INVALID_PARAMS, "A path has to be absolute, and at most 4,096 bytes.")
    return expanded
