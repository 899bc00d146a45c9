"""Digests: exact, stable, and refusing what is not a number."""

import hashlib

import attrs
import numpy as np
import pytest

from ert.domain.identity import array_digest, canonical_bytes, digest_of, read_only
from ert.errors import Refused


@attrs.frozen(kw_only=True)
class _Value:
    length_cm: float
    label: str = attrs.field(default="", eq=False)


def test_canonical_bytes_are_the_documented_text():
    assert canonical_bytes({"b": 1, "a": (0.5, None, "µ")}) == b'{"a":["0x1.0000000000000p-1",null,"\\u00b5"],"b":1}'
    assert digest_of([True]) == hashlib.sha256(b"[true]").hexdigest()


def test_last_digit_counts_and_minus_zero_does_not():
    assert digest_of(0.1 + 0.2) != digest_of(0.3)
    assert digest_of(-0.0) == digest_of(0.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float64("-inf")])
def test_numbers_that_are_none_are_refused(bad):
    with pytest.raises(Refused, match="finite"):
        digest_of({"x": bad})


def test_fields_left_out_of_equality_are_left_out_of_the_digest():
    assert digest_of(_Value(length_cm=1.0, label="a")) == digest_of(_Value(length_cm=1.0, label="b"))
    assert digest_of(_Value(length_cm=1.0)) != digest_of(_Value(length_cm=1.0000000000000002))


def test_array_digest_knows_type_shape_and_order_but_not_memory_layout():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert array_digest(a) == array_digest(np.asfortranarray(a)) == array_digest(a.astype(">f4"))
    assert len({array_digest(x) for x in (a, a.T, a.ravel(), a.astype(np.float64))}) == 4


def test_unknown_types_are_a_fault_of_ours():
    with pytest.raises(TypeError):
        digest_of({1, 2})


def test_read_only_arrays_cannot_be_written():
    locked = read_only(np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        locked[0] = 1
