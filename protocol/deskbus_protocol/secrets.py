"""`secrets.*`: what an app wants kept safe; `vault.*`: what all of it rests in."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.method import Empty, Method, NoParams, Params, Result

OWN_SECRETS = "own"
"""The only scope of the permission `secrets`: nobody reaches another app's."""

MAX_SECRETS = 1000
"""An app may keep so many."""

SecretName = Annotated[str, Meta(min_length=1, max_length=128)]
SecretValue = Annotated[str, Meta(max_length=65_536)]
VaultState = Literal["closed", "unlocked", "locked", "memory"]


class SetSecretParams(Params, frozen=True, kw_only=True):
    name: SecretName
    value: SecretValue


class SecretParams(Params, frozen=True, kw_only=True):
    name: SecretName


class SecretResult(Result, frozen=True, kw_only=True):
    value: str


class DeletedResult(Result, frozen=True, kw_only=True):
    """`deleted` is false where there was no such secret."""

    deleted: bool


class SecretList(Result, frozen=True, kw_only=True):
    names: list[str]


class VaultStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """`closed` until something is needed; `memory` where there is no keychain: gone at the end.

    `home` and `strength` say where the key is and how strong it is, `outdated` how many records an
    older data key seals. With `needs_password` it is locked until `vault.unlock` brings the master
    password. Times are Unix milliseconds.
    """

    state: VaultState
    detail: str = ""
    needs_password: bool = False
    home: str | UnsetType = UNSET
    strength: str | UnsetType = UNSET
    records: int | UnsetType = UNSET
    outdated: int | UnsetType = UNSET
    kek_rotated: int | UnsetType = UNSET
    keys_rotated: int | UnsetType = UNSET


class VaultResult(Result, frozen=True, kw_only=True):
    status: VaultStatus


class UnlockParams(Params, frozen=True, kw_only=True):
    """`password` is the master password, where there is one."""

    password: Annotated[str, Meta(max_length=1024)] | UnsetType = UNSET


class RotateParams(Params, frozen=True, kw_only=True):
    """`kek` wraps the data keys anew, `keys` seals every record anew under new data keys."""

    what: Literal["kek", "keys", "all"] = "all"


class VaultChangedParams(Params, frozen=True, kw_only=True):
    status: VaultStatus


METHODS = (
    Method(
        name="secrets.set",
        summary="Keeps a secret of this app's, in place of one of the same name.",
        params=SetSecretParams,
        result=Empty,
    ),
    Method(
        name="secrets.get",
        summary="Answers with a secret that this app has kept.",
        params=SecretParams,
        result=SecretResult,
    ),
    Method(
        name="secrets.delete",
        summary="Forgets a secret of this app's.",
        params=SecretParams,
        result=DeletedResult,
    ),
    Method(
        name="secrets.list",
        summary="Lists the names of this app's secrets.",
        params=NoParams,
        result=SecretList,
    ),
    Method(
        name="vault.status",
        summary="Tells whether secrets are kept, where their key is, and when it was changed.",
        params=NoParams,
        result=VaultResult,
        callers="shell",
    ),
    Method(
        name="vault.unlock",
        summary="Opens the vault, or makes one; the keychain may ask a person.",
        params=UnlockParams,
        result=VaultResult,
        callers="shell",
    ),
    Method(
        name="vault.rotate",
        summary="Changes the vault's keys; progress tells how many records are done.",
        params=RotateParams,
        result=VaultResult,
        callers="shell",
    ),
    Method(
        name="vault.changed",
        summary="Tells the shell that the vault was locked or unlocked, or keeps nothing.",
        params=VaultChangedParams,
        handled_by="shell",
    ),
)
