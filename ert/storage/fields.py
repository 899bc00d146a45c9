"""The second layer inside the encrypted database: encrypted cells, blind indexes, row codes.

- *Cell*: ``version u8 · generation u32 · nonce 12 B · ciphertext · tag 16 B``, AES-256-GCM, associated data
  ``store|table|row id|column|schema``: a cell that is moved to another row, column or site does not open.
- *Blind index*: 16 bytes of HMAC-SHA-256 over the normalised value, a key of its own for each column; finds equal
  values (medical record number with issuer) without showing them. Shows equality, nothing else.
- *Row code*: HMAC-SHA-256 over every column of a row, stored in the row and verified whenever it is read. SQLCipher's
  own page code can miss damage in overflow pages.
"""

from __future__ import annotations

import functools
import hmac
import secrets
import struct
import unicodedata
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ert.errors import BadTag
from ert.storage.keys import Vault

CELL_VERSION = 1
CELL_SCHEMA = 1
BLIND_INDEX_BYTES = 16
ROW_CODE_COLUMN = "row_mac"
_NEVER_REWRITTEN = "history"
_HEAD = struct.Struct("<BI")
_LENGTH = struct.Struct("<I")
_NONCE_BYTES = 12
_TAG_BYTES = 16
Cell = None | int | float | str | bytes


class FieldGuard:
    """Encrypts cells, computes blind indexes and row codes with one site's keys."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._ciphers: dict[int, AESGCM] = {}

    def encrypt(self, value: bytes, *, table: str, row_id: str, column: str) -> bytes:
        """Return the encrypted cell for one place."""
        head = _HEAD.pack(CELL_VERSION, self._vault.generation)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return (
            head
            + nonce
            + self._cipher(self._vault.generation).encrypt(nonce, value, self._place(table, row_id, column))
        )

    def decrypt(self, cell: bytes, *, table: str, row_id: str, column: str) -> bytes:
        """Return the value of a cell; `BadTag` if it was changed or comes from another place."""
        start = _HEAD.size + _NONCE_BYTES
        if len(cell) < start + _TAG_BYTES:
            raise _damaged(table, row_id, f"cell {column}: head")
        version, generation = _HEAD.unpack_from(cell)
        # History rows are never written again, so what stands in them stays under the keys of its day.
        is_known = generation == self._vault.generation or table == _NEVER_REWRITTEN
        if version != CELL_VERSION or not is_known:
            raise _damaged(table, row_id, f"cell {column}: head")
        try:
            return self._cipher(generation).decrypt(
                cell[_HEAD.size : start], cell[start:], self._place(table, row_id, column)
            )
        except InvalidTag as exc:
            raise _damaged(table, row_id, f"cell {column}: tag") from exc

    def blind_index(self, column: str, *parts: str) -> bytes:
        """Return the 16-byte index of a value (several parts make one compound value)."""
        info = f"ert-index/1|{self._vault.store_id}|{column}".encode()
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._vault.index_key)
        return hmac.digest(key, b"".join(_text(normalised(part)) for part in parts), "sha256")[:BLIND_INDEX_BYTES]

    def row_code(self, table: str, row: Mapping[str, Cell]) -> bytes:
        """Return the 32-byte code of a row; its own column is left out."""
        parts = [_text(self._vault.store_id), _text(table)]
        for column, name in _order(tuple(row)):
            parts.append(name)
            parts.append(canonical_cell(row[column]))
        return self._vault.authentication_code("row/1", b"".join(parts))

    def check_row(self, table: str, row: Mapping[str, Cell], *, row_id: str) -> None:
        """Refuse a row whose code does not fit."""
        code = row[ROW_CODE_COLUMN]
        if not isinstance(code, bytes) or not hmac.compare_digest(code, self.row_code(table, row)):
            raise _damaged(table, row_id, "row code")

    def _cipher(self, generation: int) -> AESGCM:
        if generation not in self._ciphers:
            self._ciphers[generation] = AESGCM(self._vault.field_key_of(generation))
        return self._ciphers[generation]

    def _place(self, table: str, row_id: str, column: str) -> bytes:
        return f"{self._vault.store_id}|{table}|{row_id}|{column}|{CELL_SCHEMA}".encode()


def cell_generation(cell: object) -> int:
    """Return the generation of keys that a cell says it was encrypted with; 0, which no keys have, if it says none."""
    if not isinstance(cell, bytes) or len(cell) < _HEAD.size:
        return 0
    generation: int = _HEAD.unpack_from(cell)[1]
    return generation


def normalised(value: str) -> str:
    """Return the form in which two spellings of one value are equal (NFKC, case-folded, trimmed)."""
    return unicodedata.normalize("NFKC", value).casefold().strip()


@functools.lru_cache(maxsize=256)
def _order(columns: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    """Columns of a row in the order in which its code takes them, each with its coded name; not the code's own."""
    return tuple((column, _text(column)) for column in sorted(columns) if column != ROW_CODE_COLUMN)


def canonical_cell(value: Cell) -> bytes:
    """Return type and value of one cell, unambiguously."""
    if isinstance(value, str):
        data = value.encode("utf-8")
        return b"s" + _LENGTH.pack(len(data)) + data
    if value is None:
        return b"n"
    if isinstance(value, bytes):
        return b"b" + _LENGTH.pack(len(value)) + value
    if isinstance(value, bool):
        raise TypeError("rows hold integers, not booleans")
    if isinstance(value, int):
        return b"i" + _text(str(value))
    return b"f" + _text(value.hex())


def _text(value: str) -> bytes:
    data = value.encode("utf-8")
    return _LENGTH.pack(len(data)) + data


def _damaged(table: str, row_id: str, what: str) -> BadTag:
    return BadTag(
        f"A {table.replace('_', ' ')} record of this site is damaged or was changed from outside; it was not used.",
        hint="Run 'ert check' and restore the record from a backup.",
        detail=f"{table} {row_id}: {what}",
    )
