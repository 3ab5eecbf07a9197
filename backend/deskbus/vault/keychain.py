"""The operating system's keychain, as far as this machine has one."""

from typing import NamedTuple


class KeychainState(NamedTuple):
    """`reachable` says whether secrets could be kept there; `detail` names it or the trouble."""

    reachable: bool
    detail: str


def probe() -> KeychainState:
    """Asks the keychain for an entry that does not exist; writes nothing."""
    # Imported here: no start of the backend needs it.
    import keyring
    from keyring.errors import KeyringError

    try:
        backend = keyring.get_keyring()
        if backend.priority <= 0:
            return KeychainState(False, "no keychain of this desktop is reachable")
        keyring.get_password("deskbus", "probe")
    except (KeyringError, RuntimeError) as error:
        return KeychainState(False, f"the keychain does not answer: {type(error).__name__}")
    return KeychainState(True, f"{type(backend).__module__}.{type(backend).__name__}")
