"""Schemas and TypeScript are made from the Structs, and are in step with them."""

import pytest

from deskbus_protocol.export import generated_files
from deskbus_protocol.export.openrpc import openrpc
from deskbus_protocol.methods import METHODS


def test_the_generated_files_have_not_drifted() -> None:
    assert generated_files.main(["--check"]) == 0


def test_the_openrpc_document_names_every_method_once() -> None:
    names = [method["name"] for method in openrpc()["methods"]]
    assert sorted(names) == sorted(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_summary_and_a_name_of_domain_and_verb(name: str) -> None:
    domain, _, verb = name.partition(".")
    assert domain.isalnum()
    assert verb.isalpha()
    assert METHODS[name].summary.endswith(".")
