"""ERTE: every changed bit, cut, splice and substitution is refused, before anything is allocated from a bad header."""

from __future__ import annotations

import io
import itertools
import struct
import uuid

import attrs
import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from ert.errors import BadTag, SchemaTooNew
from ert.storage import envelope
from ert.storage.envelope import Compression, FileContext, FileKind, Header

KEK = bytes(range(32))
CONTEXT = FileContext(store_id="site", table="dose", record_id="record", revision=3, kind=FileKind.DOSE)
CHUNK = 4096


def header_of(length: int, **changes) -> Header:
    given = {"kind": CONTEXT.kind, "generation": 1, "file_id": uuid.UUID(int=7), "length": length, "chunk_bytes": CHUNK}
    return Header(**given | changes)


def sealed(plaintext: bytes, context: FileContext = CONTEXT, **changes) -> bytes:
    out = io.BytesIO()
    made = envelope.seal(out, [plaintext], header=header_of(len(plaintext), **changes), context=context, kek=KEK)
    assert made.size == len(out.getvalue())
    return out.getvalue()


def opened(data: bytes, context: FileContext = CONTEXT, kek: bytes = KEK) -> bytes:
    _, pieces = envelope.unseal(io.BytesIO(data), file_bytes=len(data), context=context, kek_of=lambda _: kek)
    return b"".join(pieces)


def is_refused(data: bytes, context: FileContext = CONTEXT) -> bool:
    try:
        opened(data, context)
    except (BadTag, SchemaTooNew):
        return True
    return False


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5])
def test_what_was_sealed_opens(length):
    plaintext = np.random.default_rng(length).bytes(length)
    data = sealed(plaintext)
    assert opened(data) == plaintext
    assert len(data) == 64 + length + 16 * max(1, -(-length // CHUNK))


@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_the_size_of_the_pieces_does_not_matter(pieces):
    out, whole = io.BytesIO(), b"".join(pieces)
    envelope.seal(out, pieces, header=header_of(len(whole)), context=CONTEXT, kek=KEK)
    assert out.getvalue() == sealed(whole)
    assert opened(out.getvalue()) == whole


def test_the_format_is_what_the_description_says():
    """Read one file with nothing but the description and the primitives."""
    plaintext = bytes(range(256)) * 20
    data = sealed(plaintext)
    fields = struct.unpack("<4sHHIHBBI16sQ20s", data[:64])
    assert fields == (b"ERTE", 1, 1, CHUNK, 3, 0, 1, 1, uuid.UUID(int=7).bytes, len(plaintext), bytes(20))
    key = HKDF(algorithm=SHA256(), length=32, salt=fields[8], info=b"ert-file/1|site").derive(KEK)
    parts = b"".join(struct.pack("<I", len(p)) + p for p in (b"site", b"dose", b"record", b"3", b"3"))
    import hashlib

    bound = hashlib.sha256(data[:64] + parts).digest()
    first = AESGCM(key).decrypt(bytes(12), data[64 : 64 + CHUNK + 16], bound)
    last = AESGCM(key).decrypt(b"\0\0\0\1" + (1).to_bytes(8, "big"), data[64 + CHUNK + 16 :], bound)
    assert first + last == plaintext


def test_every_single_bit_is_guarded():
    data = sealed(b"electron " * 20)
    flips = itertools.product(range(len(data)), range(8))
    missed = [(i, bit) for i, bit in flips if not is_refused(data[:i] + bytes([data[i] ^ (1 << bit)]) + data[i + 1 :])]
    assert missed == []


class Untagged:
    """The cipher without its guard: GCM's counter mode, no tag looked at."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def decrypt(self, nonce, data, associated_data):
        return Cipher(AES(self._key), CTR(nonce + (2).to_bytes(4, "big"))).decryptor().update(bytes(data)[:-16])


def test_without_tags_most_changes_would_pass(monkeypatch):
    """The tests above rest on the tag: with it not looked at, a changed text, a swap and another record open."""
    data = sealed(b"electron " * 20)
    others = sealed(np.random.default_rng(5).bytes(2 * CHUNK))
    step = CHUNK + 16
    flips = [data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :] for i in range(64, len(data))]
    swapped = others[:64] + others[64 + step :] + others[64 : 64 + step]
    another = attrs.evolve(CONTEXT, record_id="another")
    assert all(is_refused(flip) for flip in flips)
    assert is_refused(swapped)
    assert is_refused(data, another)
    monkeypatch.setattr(envelope, "AESGCM", Untagged)
    assert opened(data) == b"electron " * 20
    assert not any(is_refused(flip) for flip in flips)
    assert not is_refused(swapped)
    assert not is_refused(data, another)


def test_every_single_bit_of_a_compressed_header_is_guarded():
    data = sealed(b"electron " * 20, compression=Compression.SHUFFLED_ZSTD, item_size=8)
    flips = itertools.product(range(64), range(8))
    assert all(is_refused(data[:i] + bytes([data[i] ^ (1 << bit)]) + data[i + 1 :]) for i, bit in flips)


def test_random_damage_of_a_long_file_is_refused():
    data = bytearray(sealed(np.random.default_rng(1).bytes(5 * CHUNK + 77)))
    rng = np.random.default_rng(2)
    for position, bit in zip(rng.integers(0, len(data), 5000), rng.integers(0, 8, 5000), strict=True):
        data[position] ^= 1 << bit
        assert is_refused(bytes(data))
        data[position] ^= 1 << bit
    assert not is_refused(bytes(data))


def test_every_truncation_and_extension_is_refused():
    data = sealed(np.random.default_rng(3).bytes(2 * CHUNK + 100), chunk_bytes=CHUNK)
    cuts = [*range(0, 200), *range(len(data) - 200, len(data)), *range(64, len(data), CHUNK + 16)]
    assert all(is_refused(data[:cut]) for cut in cuts)
    assert all(is_refused(data + bytes(n)) for n in (1, 15, 16, 17, CHUNK + 16))


def test_compressed_files_cannot_be_cut_at_a_chunk_either():
    whole = sealed(np.random.default_rng(4).bytes(3 * CHUNK), compression=Compression.SHUFFLED_ZSTD)
    step = CHUNK + 16
    for keep in range(3):
        assert is_refused(whole[: 64 + keep * step])
    assert is_refused(whole + whole[-step:])


def test_chunks_cannot_be_swapped_doubled_or_dropped():
    data = sealed(np.random.default_rng(5).bytes(4 * CHUNK))
    step = CHUNK + 16
    head, chunks = data[:64], [data[64 + i * step : 64 + (i + 1) * step] for i in range(4)]
    orders = [p for p in itertools.product(range(4), repeat=4) if p != (0, 1, 2, 3)]
    assert all(is_refused(head + b"".join(chunks[i] for i in order)) for order in orders)


def test_chunks_of_another_file_do_not_fit():
    first, second = sealed(bytes(3 * CHUNK)), sealed(bytes(3 * CHUNK), file_id=uuid.UUID(int=8))
    step = CHUNK + 16
    assert is_refused(first[: 64 + step] + second[64 + step :])
    assert is_refused(second[:64] + first[64:])


@pytest.mark.parametrize(
    "change",
    [
        {"store_id": "other"},
        {"table": "plan"},
        {"record_id": "record2"},
        {"revision": 4},
        {"kind": FileKind.CT_VOXELS},
        {"store_id": "sit", "table": "edose"},
    ],
)
def test_a_file_of_another_record_does_not_open(change):
    assert is_refused(sealed(b"dose"), attrs.evolve(CONTEXT, **change))


def test_another_key_does_not_open():
    with pytest.raises(BadTag):
        opened(sealed(b"dose"), kek=bytes(32))


@pytest.mark.parametrize(
    ("offset", "fmt", "value"),
    [
        (8, "<I", 1024), (8, "<I", 32 * 1024 * 1024), (8, "<I", 0), (12, "<H", 99), (14, "<B", 9), (15, "<B", 3),
        (36, "<Q", 17 * 1024**3), (36, "<Q", 2**63), (36, "<Q", 5), (44, "<B", 1), (0, "4s", b"PK\3\4"),
    ],
)  # fmt: skip
def test_impossible_headers_are_refused_before_the_key_is_asked_for(offset, fmt, value):
    data = bytearray(sealed(b"dose"))
    struct.pack_into(fmt, data, offset, value)

    def never(_):
        raise AssertionError("the header should have been refused")

    with pytest.raises(BadTag):
        envelope.unseal(io.BytesIO(data), file_bytes=len(data), context=CONTEXT, kek_of=never)


@pytest.mark.parametrize("offset", [4, 6])
def test_a_newer_format_or_suite_is_called_newer(offset):
    data = bytearray(sealed(b"dose"))
    struct.pack_into("<H", data, offset, 2)
    with pytest.raises(SchemaTooNew, match="newer version"):
        opened(bytes(data))
