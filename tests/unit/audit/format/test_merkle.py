"""Merkle trees against RFC 6962's own definitions, and vectors of Certificate Transparency."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.audit.format.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofError,
    check_consistency,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_of,
    split_of,
)

CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
"""The inputs of the reference implementation's test (google/certificate-transparency)."""

CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


def subtrees(leaves: list[bytes]):  # type: ignore[no-untyped-def]  # noqa: ANN201
    return lambda start, count: defined_root(leaves[start : start + count])


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root() == EMPTY_ROOT
    assert EMPTY_ROOT.hex().startswith("e3b0c44298fc1c14")


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert root_of([leaf_hash(leaf) for leaf in CT_LEAVES[:size]]).hex() == CT_ROOTS[size - 1]


def test_an_inclusion_proof_is_that_of_certificate_transparency() -> None:
    path = inclusion_path(5, 8, subtrees(CT_LEAVES))
    assert [node.hex() for node in path] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_a_consistency_proof_is_that_of_certificate_transparency() -> None:
    path = consistency_path(6, 8, subtrees(CT_LEAVES))
    assert [node.hex() for node in path] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=70))
def test_a_frontier_grows_to_the_root_that_the_standard_defines(leaves: list[bytes]) -> None:
    frontier = Frontier()
    for size, leaf in enumerate(leaves, 1):
        frontier.append(leaf_hash(leaf))
        assert frontier.root() == defined_root(leaves[:size])
    assert Frontier(frontier.size, frontier.nodes).root() == frontier.root()


@given(st.data())
def test_every_leaf_is_proven_and_no_other_in_its_place(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    leaves = [bytes([at]) for at in range(size)]
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(index, size, subtrees(leaves))
    root = defined_root(leaves)
    check_inclusion(index, size, leaf_hash(leaves[index]), path, root)
    wrong = data.draw(st.integers(0, size - 1).filter(lambda at: at != index or size == 1))
    with pytest.raises(ProofError):
        check_inclusion(index, size, leaf_hash(b"other"), path, root)
    if wrong != index:
        with pytest.raises(ProofError):
            check_inclusion(wrong, size, leaf_hash(leaves[index]), path, root)
    with pytest.raises(ProofError):
        check_inclusion(index, size, leaf_hash(leaves[index]), [*path, root], root)


@given(st.data())
def test_a_tree_goes_on_from_each_of_its_beginnings_and_from_no_other(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 70))
    old = data.draw(st.integers(1, new))
    leaves = [bytes([at]) for at in range(new)]
    path = consistency_path(old, new, subtrees(leaves))
    old_root, new_root = defined_root(leaves[:old]), defined_root(leaves)
    check_consistency(old, new, old_root, new_root, path)
    with pytest.raises(ProofError):
        check_consistency(old, new, defined_root([b"x", *leaves[1:old]]), new_root, path)
    with pytest.raises(ProofError):
        check_consistency(old, new, old_root, new_root, [*path, old_root])


@pytest.mark.parametrize(("count", "split"), [(2, 1), (3, 2), (4, 2), (5, 4), (8, 4), (9, 8)])
def test_a_tree_divides_at_the_largest_power_of_two_below_its_size(count: int, split: int) -> None:
    assert split_of(count) == split


def test_a_frontier_refuses_nodes_that_do_not_fit_its_size() -> None:
    with pytest.raises(ProofError):
        Frontier(3, [bytes(32)])
    with pytest.raises(ProofError):
        Frontier(1, [b"short"])
