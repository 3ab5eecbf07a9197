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
MAX_PASSWORD_CHARACTERS = 1024
"""The longest master password."""

MAX_KEY_CHARACTERS = 1024
MAX_SEALED_CHARACTERS = 16 * 1024
"""Of the vault's key as a text, and of what safeStorage makes of it."""

Password = Annotated[str, Meta(max_length=MAX_PASSWORD_CHARACTERS)]
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
    kek_provider: str | UnsetType = msgspec.field(name="home", default=UNSET)
    strength: str | UnsetType = UNSET
    records: int | UnsetType = UNSET
    outdated: int | UnsetType = UNSET
    kek_rotated: int | UnsetType = UNSET
    keys_rotated: int | UnsetType = UNSET


class VaultResult(Result, frozen=True, kw_only=True):
    status: VaultStatus


class UnlockParams(Params, frozen=True, kw_only=True):
    """`password` is the master password, where there is one."""

    password: Password | UnsetType = UNSET


class RotateParams(Params, frozen=True, kw_only=True):
    """`kek` wraps the data keys anew, `keys` seals every record anew under new data keys.

    Without `reseal` a record is sealed anew when it is next written.
    """

    what: Literal["kek", "keys", "all"] = "all"
    reseal: bool = True


class NewPasswordParams(Params, frozen=True, kw_only=True):
    """A weak one is refused: 8 characters at least, 4 of them different."""

    new_password: Password


class UseKeychainParams(Params, frozen=True, kw_only=True):
    """`keychain` is one of a name; without, that of this desktop."""

    keychain: Annotated[str, Meta(min_length=1, max_length=64)] | UnsetType = UNSET


class SealKeyParams(Params, frozen=True, kw_only=True):
    """The vault's key in a text that safeStorage is to encrypt."""

    text: Annotated[str, Meta(max_length=MAX_KEY_CHARACTERS)]


class SealedKey(Result, frozen=True, kw_only=True):
    """`sealed` is base64. `store` is what safeStorage has behind it, in Electron's word."""

    sealed: Annotated[str, Meta(max_length=MAX_SEALED_CHARACTERS)]
    store: Annotated[str, Meta(max_length=64)]


class OpenKeyParams(Params, frozen=True, kw_only=True):
    sealed: Annotated[str, Meta(max_length=MAX_SEALED_CHARACTERS)]


class OpenedKey(Result, frozen=True, kw_only=True):
    """`stale`: safeStorage has another key by now, and would encrypt it anew."""

    text: Annotated[str, Meta(max_length=MAX_KEY_CHARACTERS)]
    stale: bool = False


class TransferParams(Params, frozen=True, kw_only=True):
    """`file` is an absolute path on the backend's machine, `password` that of the export."""

    file: Annotated[str, Meta(min_length=1, max_length=4096)]
    password: Password


class ExportResult(Result, frozen=True, kw_only=True):
    """`left_out` counts records that were changed from outside, and are not in the export."""

    left_out: int
    status: VaultStatus


class ImportResult(Result, frozen=True, kw_only=True):
    """`records` counts those of the export."""

    records: int
    status: VaultStatus


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
        permission="control.view",
    ),
    Method(
        name="vault.unlock",
        summary="Opens the vault, or makes one; the keychain may ask a person.",
        params=UnlockParams,
        result=VaultResult,
        callers="shell",
        permission="control.act",
        recorded="itself",
    ),
    Method(
        name="vault.rotate",
        summary="Changes the vault's keys; progress tells how many records are done.",
        params=RotateParams,
        result=VaultResult,
        callers="shell",
        permission="control.act",
        recorded="itself",
    ),
    Method(
        name="vault.lock",
        summary="Forgets every key until vault.unlock, also where a keychain would give it back.",
        params=NoParams,
        result=VaultResult,
        callers="shell",
        permission="control.act",
        recorded="itself",
    ),
    Method(
        name="vault.changePassword",
        summary="Puts the vault under a master password, in place of a keychain or another one.",
        params=NewPasswordParams,
        result=VaultResult,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="vault.useKeychain",
        summary="Moves the vault's key into the keychain.",
        params=UseKeychainParams,
        result=VaultResult,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="vault.useSafeStorage",
        summary="Has Electron's safeStorage keep the vault's key; the shell encrypts it.",
        params=NoParams,
        result=VaultResult,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="vault.sealKey",
        summary="Has safeStorage encrypt the vault's key; refused where no keychain is behind it.",
        params=SealKeyParams,
        result=SealedKey,
        handled_by="shell",
    ),
    Method(
        name="vault.openKey",
        summary="Has safeStorage decrypt the vault's key.",
        params=OpenKeyParams,
        result=OpenedKey,
        handled_by="shell",
    ),
    Method(
        name="vault.setSecret",
        summary="Keeps a secret of the configuration, which secret:NAME in it stands for.",
        params=SetSecretParams,
        result=VaultResult,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="vault.deleteSecret",
        summary="Forgets a secret of the configuration.",
        params=SecretParams,
        result=DeletedResult,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="vault.export",
        summary="Writes the vault's content to a new file under a password.",
        params=TransferParams,
        result=ExportResult,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="vault.import",
        summary="Takes in what vault.export wrote: all of it, or nothing.",
        params=TransferParams,
        result=ImportResult,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="vault.changed",
        summary="Tells the shell that the vault was locked or unlocked, or keeps nothing.",
        params=VaultChangedParams,
        handled_by="shell",
    ),
)
