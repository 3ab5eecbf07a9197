"""The modules that are mutated, the tests that have to notice, and the mutants that nobody can."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Package(NamedTuple):
    """Paths are relative to backend/deskbus and tests/. `equivalent` has, by module, the words of
    mutants that change nothing that can be observed, each with the reason.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    equivalent: Mapping[str, Mapping[str, str]] = MappingProxyType({})


ROOT_NODE = "def __init__(self, *, is_many: bool = False, visits: int = 1) -> None:"
FIGURE = "a bound's own figure, which its tests take from the source"
UNUSED = "written anew before anybody reads it"
IF_OPEN = "if self._descriptor >= 0:"
LATER_ENDS = "later = [d.until for d in self._decisions if d.until is not None and d.until > now]"
STRICT_ZIP = "for level, parent in zip(reversed(levels), reversed(path[:-1]), strict=True):"

PACKAGES = {
    "trie": Package(
        ("bus/trie.py",),
        ("unit/bus/test_trie.py", "unit/bus/test_broker_pattern_budget.py"),
        {
            "bus/trie.py": {
                f"{ROOT_NODE} | 1 becomes 2": "visits of the root are counted for nobody",
                f"{STRICT_ZIP} | True becomes False": "both sides have the pattern's length",
            }
        },
    ),
    "permissions": Package(
        (
            "security/permission_checker.py",
            "security/model/effective_permissions.py",
            "security/model/grant_matching.py",
        ),
        (
            "unit/security/model",
            "unit/security/policy",
            "unit/security/test_permission_checker.py",
            "unit/security/test_service.py",
            "unit/security/test_permission_checker_trust.py",
            "unit/security/test_permission_checker_last_used.py",
            "unit/protocol/test_catalogue.py",
            "unit/security/decisions/test_one_time_grants.py",
        ),
        {
            "security/permission_checker.py": {
                "MAX_VERDICTS = 2048 | 2048 becomes 2049": FIGURE,
                "self.epoch = 0 | 0 becomes 1": "an epoch is only compared with an earlier one",
                f"{LATER_ENDS} | d.until > now: Gt becomes GtE": (
                    "what ends at this moment is left out already, and only looked at once more"
                ),
            },
        },
    ),
    "chain": Package(
        ("audit/write/chain_writer.py", "audit/verify/chain_verifier.py"),
        (
            "unit/audit/verify",
            "unit/audit/write",
            "unit/audit/store/test_retention.py",
            "unit/audit/test_logger.py",
        ),
        {
            "audit/write/chain_writer.py": {
                "FILE_BATCHES = 1024 | 1024 becomes 1025": FIGURE,
                "self._descriptor = -1 | 1 becomes 2": "no descriptor is below 0",
                "self._day = 0 | 0 becomes 1": UNUSED,
                "self._first_batch = 0 | 0 becomes 1": UNUSED,
                f"{IF_OPEN} | self._descriptor >= 0: GtE becomes Gt": "0 is the standard input's",
                f"{IF_OPEN} | 0 becomes 1": "0 is the standard input's",
            },
            "audit/verify/chain_verifier.py": {
                "MAX_UNSIGNED = 100_000 | 100000 becomes 100001": FIGURE,
                "self.first = 0 | 0 becomes 1": UNUSED,
            },
        },
    ),
    "cipher": Package(
        ("vault/cipher.py",),
        ("unit/vault/test_cipher_vectors.py", "unit/vault/test_cipher.py", "unit/test_formats.py"),
    ),
    "supervision": Package(
        (
            "processes/policy/app_state_machine.py",
            "processes/policy/restart_policy.py",
            "processes/policy/limit_policy.py",
            "processes/policy/liveness.py",
        ),
        ("unit/processes/policy",),
        {
            "processes/policy/app_state_machine.py": {
                "self._is_ready = False | False becomes True": UNUSED,
            },
        },
    ),
    "delivery": Package(
        (
            "bus/delivery/acknowledged.py",
            "bus/delivery/offline_queue.py",
            "bus/delivery/dead_letters.py",
            "bus/delivery/gap_notices.py",
        ),
        (
            "unit/bus/delivery",
            "unit/bus/test_service_histories.py",
            "unit/bus/test_service_grace.py",
            "unit/bus/test_service_shares.py",
        ),
        {
            "bus/delivery/acknowledged.py": {
                "SENT_AT_ONCE = 128 | 128 becomes 129": FIGURE,
                "due: int = 0 | 0 becomes 1": UNUSED,
            },
        },
    ),
}
