"""An export as a file with its proof beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from deskbus.audit.proof.proof_bundle import Bundle, Prover, make_bundle, read_chain
from deskbus.audit.query.index import AuditIndex
from deskbus.audit.query.search import AuditSearch
from deskbus.audit.report import export
from deskbus.storage.durable_files import write_private
from deskbus_protocol.audit import AuditFilter, AuditFormat

PROOF = ".proof"
"""The proof's file has the export's name, and this behind it."""

PAGE = 1000
MAX_PROVEN = 100_000
"""Records of one file: all of them, and their proof, are in memory at once."""


class TooManyError(ValueError):
    """More than `MAX_PROVEN` records match."""


class MadeExport(NamedTuple):
    """An export that is in no file yet."""

    content: bytes
    proof: bytes
    records: int

    def write(self, path: Path) -> None:
        """Raises `OSError`."""
        write_private(path, self.content)
        write_private(proof_of(path), self.proof)


class Exporter:
    """Its methods raise `OSError`, `ProofError`, `DamagedFileError`."""

    def __init__(self, folder: Path, index: AuditIndex, search: AuditSearch, key: str) -> None:
        self._folder = folder
        self._index = index
        self._search = search
        self._key = key

    def write(self, wanted: AuditFilter, form: AuditFormat, path: Path) -> int:
        """The number of records written; raises `TooManyError`, and then writes none."""
        made = self.make(wanted, form)
        made.write(path)
        return made.records

    def make(self, wanted: AuditFilter, form: AuditFormat) -> MadeExport:
        """Raises `TooManyError`."""
        lines: list[bytes] = []
        seqs: list[int] = []
        cursor = None
        while True:
            found = self._search.find(wanted, order="oldest", limit=PAGE, cursor=cursor)
            lines += found.lines
            seqs += [record.seq for record in found.records]
            if len(lines) > MAX_PROVEN:
                raise TooManyError(f"more than {MAX_PROVEN} records; narrow the time")
            cursor = found.cursor
            if cursor is None:
                break
        bundle = self.prove(seqs)
        content = export.encode(lines, form).encode()
        return MadeExport(content, msgspec.json.encode(bundle), len(lines))

    def prove(self, seqs: Sequence[int]) -> Bundle:
        """The proof of these records under the newest checkpoint."""
        chain = read_chain(self._folder)
        self._index.catch_up()
        return make_bundle(self._key, chain, seqs, Prover(self._search, self._index, chain).subtree)


def proof_of(path: Path) -> Path:
    return path.with_name(path.name + PROOF)
