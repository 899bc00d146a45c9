"""Values of rows are read once for as long as their codes stay what they are."""

from __future__ import annotations

from ert.storage.decoded import Decoded


def row(code: bytes) -> dict[str, object]:
    return {"uuid": "same", "row_mac": code}


def test_a_value_is_read_once_for_the_same_rows_and_again_for_others():
    decoded, calls = Decoded(), []

    def read() -> int:
        calls.append(1)
        return len(calls)

    first, second = row(b"a" * 32), row(b"b" * 32)
    assert [decoded.value(read, first, second) for _ in range(3)] == [1, 1, 1]
    assert decoded.value(read, first) == 2
    assert decoded.value(read, first, row(b"c" * 32)) == 3
    assert decoded.value(read, second, first) == 4
    assert decoded.value(read, first, second) == 1


def test_a_full_memory_forgets_and_reads_again():
    decoded, calls = Decoded(limit=2), []

    def read() -> int:
        calls.append(1)
        return len(calls)

    assert [decoded.value(read, row(bytes([n]) * 32)) for n in (1, 2, 3, 3, 1)] == [1, 2, 3, 3, 4]
