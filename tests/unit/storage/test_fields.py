"""Encrypted cells, blind indexes and row codes belong to one place each."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ert.errors import BadTag
from ert.storage import schema
from ert.storage.fields import FieldGuard, canonical_cell
from ert.storage.keys import Vault

VAULT = Vault.create("site")
GUARD = FieldGuard(VAULT)
PLACE = {"table": "patient", "row_id": "r1", "column": "document_ct"}
ROW = {"uuid": "r1", "rev": 1, "name": "x", "cell": b"\0\1", "merged": None, "weight": 0.1}


@given(st.binary(max_size=200))
def test_a_cell_opens_at_its_place(value):
    assert GUARD.decrypt(GUARD.encrypt(value, **PLACE), **PLACE) == value


def test_equal_values_do_not_look_equal():
    assert GUARD.encrypt(b"Curie", **PLACE) != GUARD.encrypt(b"Curie", **PLACE)


@pytest.mark.parametrize("change", [{"table": "course"}, {"row_id": "r2"}, {"column": "name_ct"}])
def test_a_moved_cell_does_not_open(change):
    with pytest.raises(BadTag):
        GUARD.decrypt(GUARD.encrypt(b"Curie", **PLACE), **PLACE | change)


def test_a_cell_of_another_site_does_not_open():
    keys = {"db": b"d" * 32, "field": VAULT.field_key, "filekek": b"f" * 32, "audit": b"a" * 32, "index": b"i" * 32}
    other = FieldGuard(Vault(store_id="other", generation=1, master_key=bytes(32), purpose_keys=keys))
    with pytest.raises(BadTag):
        other.decrypt(GUARD.encrypt(b"Curie", **PLACE), **PLACE)


def test_every_bit_and_every_cut_of_a_cell_is_guarded():
    cell = GUARD.encrypt(b"Marie", **PLACE)
    flips = [
        cell[:i] + bytes([cell[i] ^ (1 << b)]) + cell[i + 1 :] for i, b in itertools.product(range(len(cell)), range(8))
    ]
    for broken in [*flips, *(cell[:n] for n in range(len(cell))), cell + b"\0"]:
        with pytest.raises(BadTag):
            GUARD.decrypt(broken, **PLACE)


def test_a_blind_index_finds_equal_values_and_shows_nothing_else():
    index = GUARD.blind_index("mrn", "4711", "Clinic")
    assert len(index) == 16
    assert index == GUARD.blind_index("mrn", " 4711 ", "CLINIC")
    different = [
        GUARD.blind_index("mrn", "4711", "Clinic2"), GUARD.blind_index("mrn", "471", "1Clinic"),
        GUARD.blind_index("series", "4711", "Clinic"), GUARD.blind_index("mrn", "4711Clinic"),
        FieldGuard(Vault.create("site")).blind_index("mrn", "4711", "Clinic"),
    ]  # fmt: skip
    assert index not in different


def test_a_row_code_covers_every_column():
    row = ROW | {"row_mac": GUARD.row_code("patient", ROW)}
    GUARD.check_row("patient", row, row_id="r1")
    changes = [
        {"uuid": "r2"}, {"rev": 2}, {"name": "y"}, {"name": None}, {"cell": b"\0"}, {"merged": "r3"}, {"merged": ""},
        {"weight": 0.1 + 2**-55}, {"rev": "1"}, {"name": b"x"}, {"row_mac": bytes(32)}, {"row_mac": None}, {"more": 1},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(BadTag):
            GUARD.check_row("patient", row | change, row_id="r1")
    with pytest.raises(BadTag):
        GUARD.check_row("course", row, row_id="r1")
    with pytest.raises(BadTag):
        FieldGuard(Vault.create("site")).check_row("patient", row, row_id="r1")


def test_values_cannot_lean_on_their_neighbours():
    assert GUARD.row_code("t", {"a": "xb", "b": "y"}) != GUARD.row_code("t", {"a": "x", "b": "by"})
    forms = [canonical_cell(v) for v in (None, 1, "1", b"1", 1.0, "", b"", 0)]
    assert len(set(forms)) == len(forms)


def test_every_table_with_cells_can_be_brought_under_new_keys():
    for table in schema.metadata.sorted_tables:
        has_cells = any(name.endswith("_ct") for name in table.c.keys())  # noqa: SIM118 - columns are no dict
        assert not has_cells or "row_mac" in table.c or table.name == "history", table.name
        assert "row_mac" not in table.c or len(table.primary_key.columns) == 1, table.name
