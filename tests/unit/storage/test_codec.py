"""Arrays come back bit for bit; damaged or hostile bytes are refused within their declared size."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ert.errors import BadTag
from ert.storage import codec


def packed(data: bytes, item_size: int = 1) -> bytes:
    return b"".join(codec.pack([data], item_size=item_size))


@given(
    hnp.arrays(
        st.sampled_from(["<i2", ">i2", "<u1", "<f4", ">f8", "<f8", "<i8"]), hnp.array_shapes(max_dims=4, min_side=0)
    )
)
def test_arrays_survive(array):
    head, values = codec.array_to_buffers(array)
    assert (len(head)) % 64 == 0
    back = codec.bytes_to_array(head + bytes(values))
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("<")
    assert back.tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()
    assert not back.flags.writeable


def test_a_scalar_and_a_view_survive():
    for array in (np.array(7.5), np.arange(24, dtype=np.int16).reshape(2, 3, 4)[:, ::-1, ::2].T):
        head, values = codec.array_to_buffers(array)
        assert np.array_equal(codec.bytes_to_array(head + bytes(values)), array)


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["x"]), np.array([True]), np.zeros(2, dtype="i4,f4")])
def test_arrays_without_a_canonical_form_are_refused(array):
    with pytest.raises(TypeError):
        codec.array_to_buffers(array)


def container(header: object, values: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + values


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\1\0", struct.pack("<I", 2**32 - 1) + b"{}", struct.pack("<I", 3) + b"{x}",
        container({"dtype": "<f4", "shape": [3]}, bytes(11)), container({"dtype": "<f4", "shape": [3]}, bytes(13)),
        container({"dtype": "|O", "shape": [1]}, bytes(8)), container({"dtype": "<f4", "shape": [-1]}, b""),
        container({"dtype": "<f4", "shape": [2**62, 2**62]}, b""),
        container({"dtype": "<f4", "shape": [1.0]}, bytes(4)),
        container({"dtype": "<f4", "shape": [True]}, bytes(4)), container({"dtype": "<f4"}, b""), container([], b""),
        container({"dtype": "<f4", "shape": [1] * 99}, bytes(4)),
    ],
)  # fmt: skip
def test_impossible_array_headers_are_refused(data):
    with pytest.raises(BadTag):
        codec.bytes_to_array(data)


@given(st.binary(max_size=4000), st.sampled_from([1, 2, 4, 8]), st.integers(1, 500))
def test_packing_is_undone_whatever_the_pieces(data, item_size, step):
    pieces = [data[i : i + step] for i in range(0, len(data), step)]
    stream = b"".join(codec.pack(pieces, item_size=item_size))
    assert stream == packed(data, item_size)
    back = codec.unpack([stream[i : i + 7] for i in range(0, len(stream), 7)], length=len(data), item_size=item_size)
    assert back == data


@pytest.mark.parametrize("extra", [-1, 0, 1, 5])
def test_blocks_of_a_megabyte_join_without_a_seam(extra):
    data = np.random.default_rng(1).bytes(2 * codec.BLOCK_BYTES + extra)
    assert codec.unpack([packed(data, 4)], length=len(data), item_size=4) == data


def test_shuffling_makes_a_smooth_array_smaller():
    z, y, x = np.ogrid[:40, :60, :60]
    smooth = (100 * np.exp(-((x - 31.37) ** 2 + (y - 27.9) ** 2) / 300 - z / 19.7)).astype(np.float32)
    assert len(packed(smooth.tobytes(), 4)) < 0.85 * len(packed(smooth.tobytes(), 1))


def test_unpacking_never_yields_more_than_declared():
    bomb = zstandard.ZstdCompressor().compress(bytes(300 * codec.BLOCK_BYTES))
    frame = struct.pack("<I", len(bomb)) + bomb
    for length in (10, codec.BLOCK_BYTES):
        with pytest.raises(BadTag, match="damaged"):
            codec.unpack([frame], length=length, item_size=1)


@pytest.mark.parametrize("length", [99, 101])
def test_another_declared_length_is_refused(length):
    with pytest.raises(BadTag):
        codec.unpack([packed(bytes(100))], length=length, item_size=1)


def test_cut_trailing_and_garbled_streams_are_refused():
    data = packed(bytes(range(256)) * 10)
    for broken in (
        data[:-1],
        data + b"x",
        data[:4],
        b"",
        struct.pack("<I", 0) + data[4:],
        data[:4] + bytes(len(data) - 4),
    ):
        with pytest.raises(BadTag):
            codec.unpack([broken], length=2560, item_size=1)


def test_collecting_is_exact():
    assert codec.collect([b"ab", b"c"], length=3) == b"abc"
    for length in (2, 4):
        with pytest.raises(BadTag):
            codec.collect([b"ab", b"c"], length=length)
