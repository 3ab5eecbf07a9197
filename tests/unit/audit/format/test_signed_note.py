"""Signed notes, against the example of C2SP's specification, which is Go's own."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deskbus.audit.format.signed_note import (
    NoteError,
    format_key,
    parse_key,
    public_of,
    sign,
    split,
    verify,
)

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\N{EM DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZIn\
NIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
"""Key and note of golang.org/x/mod/sumdb/note, which c2sp.org/signed-note refers to."""


def test_a_note_of_another_implementation_verifies() -> None:
    name, public = parse_key(GO_KEY)
    assert name == "PeterNeumann"
    assert format_key(name, public) == GO_KEY
    assert verify(GO_NOTE, name, public).startswith("If you think")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("answer", "anwser"),
        lambda text: text.replace("x08go/ZJ", "x08go/ZK"),
        lambda text: text.replace("x08go/", "y08go/"),
        lambda text: text.replace("PeterNeumann", "Peter"),
        lambda text: text.removesuffix("\n"),
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text + "no signature\n",
    ],
)
def test_a_note_with_any_change_does_not(change) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    name, public = parse_key(GO_KEY)
    with pytest.raises(NoteError):
        verify(change(GO_NOTE), name, public)


@pytest.mark.parametrize(
    "text", ["", "name", "name+00000000+AA==", GO_KEY.replace("c74f", "c74e"), GO_KEY[:-8]]
)
def test_a_damaged_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_key(text)


def test_each_of_two_signatures_is_found() -> None:
    one, two, other = (Ed25519PrivateKey.generate() for _ in range(3))
    note = sign("a body\nof two lines\n", "deskbus.audit/x", [one, two])
    assert split(note)[0] == "a body\nof two lines\n"
    for key in (one, two):
        assert verify(note, "deskbus.audit/x", public_of(key)) == "a body\nof two lines\n"
    with pytest.raises(NoteError):
        verify(note, "deskbus.audit/x", public_of(other))
