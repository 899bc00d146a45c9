"""Pixel data of one CT image → int16 CT numbers. Exact or refused, never clipped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from ert.dicom.headers import SliceHeader
from ert.dicom.values import required_whole, text, whole
from ert.errors import ImportRejected

_NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
# JPEG 2000 may be reversible or not; Lossy Image Compression (0028,2110) tells, and is checked with the header.
_DECODABLE = (RLELossless, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, JPEG2000)
_INT16 = np.iinfo(np.int16)
NOT_SCANNED_HU = -2000
"""What padding becomes that is no CT number: far below air, as scanners that pad within the range of CT numbers do."""


def read_hu(dataset: FileDataset, header: SliceHeader) -> NDArray[np.int16]:
    """CT numbers of one slice, int16 (rows, columns).

    ``HU = Rescale Slope * stored value + Rescale Intercept`` (DICOM PS3.3 C.11.1), rounded to the nearest whole number
    where the slope or intercept is fractional. Values declared as padding (Pixel Padding Value, PS3.3 C.7.5.1.1.2) that
    do not fit 16 bits after rescaling become `NOT_SCANNED_HU`; padding that fits is kept as it is.

    Raises
    ------
    ImportRejected
        If the pixel data is missing, cut short, compressed in a way that cannot be decoded exactly, or does not fit
        16 bits after rescaling.
    """
    stored = _stored_values(dataset, header)
    slope, intercept = header.rescale_slope or 0.0, header.rescale_intercept_hu or 0.0
    if not _fits(stored, slope, intercept):
        is_padding = _is_padding(dataset, stored)
        hu = np.full(stored.shape, NOT_SCANNED_HU, dtype=np.int16)
        hu[~is_padding] = _rescaled(stored[~is_padding], slope, intercept)
        return hu
    return _rescaled(stored, slope, intercept)


def _fits(stored: NDArray[Any], slope: float, intercept: float) -> bool:
    low, high = _reach_hu(stored, slope, intercept)
    return low >= _INT16.min and high <= _INT16.max


def _reach_hu(stored: NDArray[Any], slope: float, intercept: float) -> tuple[float, float]:
    ends = [slope * float(v) + intercept for v in (stored.min(), stored.max())] if stored.size else [0.0]
    return min(ends), max(ends)


def _is_padding(dataset: FileDataset, stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels that hold the declared padding value, or lie between it and Pixel Padding Range Limit.

    Both may be written with or without sign, whatever the pixels are.
    """
    value = whole(dataset, "PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, dtype=np.bool_)
    limit = whole(dataset, "PixelPaddingRangeLimit")
    ends = np.array([value, value if limit is None else limit]).astype(stored.dtype)  # modulo 2¹⁶, or 2⁸
    found: NDArray[np.bool_] = (stored >= ends.min()) & (stored <= ends.max())
    return found


def _rescaled(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[np.int16]:
    """Stored values as CT numbers; `ImportRejected` where they do not fit 16 bits."""
    if not _fits(stored, slope, intercept):
        low, high = _reach_hu(stored, slope, intercept)
        raise ImportRejected(
            f"CT numbers reach from {low:.0f} to {high:.0f} HU; ERT keeps "
            f"{_INT16.min} to {_INT16.max} HU and clips nothing."
        )
    if slope == 1.0 and intercept == int(intercept):
        # The sum fits 16 bits, so adding modulo 2¹⁶ is exact, and needs no wider copy.
        return stored.astype(np.int16) + np.array(int(intercept)).astype(np.int16)
    return np.rint(stored * slope + intercept).astype(np.int16)


def _stored_values(dataset: FileDataset, header: SliceHeader) -> NDArray[Any]:
    """Stored pixel values (rows, columns), 8 or 16 bit, with unused bits resolved."""
    name = header.header.path.name
    if "PixelData" not in dataset:
        raise ImportRejected(f"'{name}' has no pixel data.")
    allocated, stored_bits = required_whole(dataset, "BitsAllocated"), required_whole(dataset, "BitsStored")
    if required_whole(dataset, "SamplesPerPixel") != 1 or text(dataset, "PhotometricInterpretation") != "MONOCHROME2":
        raise ImportRejected(f"'{name}' is no grey-scale CT image (MONOCHROME2 with one sample per pixel).")
    if allocated not in (8, 16) or not 1 <= stored_bits <= allocated:
        raise ImportRejected(f"'{name}' has {stored_bits} of {allocated} bits stored; 8 or 16 are understood.")
    if required_whole(dataset, "HighBit") != stored_bits - 1:
        raise ImportRejected(f"'{name}': High Bit does not match Bits Stored; its CT numbers are ambiguous.")
    is_signed = required_whole(dataset, "PixelRepresentation") == 1
    syntax = header.header.transfer_syntax_uid
    if syntax in _NATIVE or syntax == _BIG_ENDIAN:
        raw = _native(dataset, header, allocated, is_signed=is_signed)
    elif syntax in _DECODABLE:
        raw = np.asarray(pixel_array(dataset))
        if raw.shape != (header.rows, header.columns):
            raise ImportRejected(f"'{name}' decodes to {raw.shape} pixels, not {header.rows} × {header.columns}.")
    else:
        raise ImportRejected(
            f"'{name}' is compressed as '{UID(syntax).name}', which is lossy or unknown.",
            hint="Have the CT sent uncompressed or with lossless compression.",
        )
    return _without_unused_bits(raw, stored_bits, is_signed=is_signed, name=name)


def _native(dataset: FileDataset, header: SliceHeader, allocated: int, *, is_signed: bool) -> NDArray[Any]:
    data = dataset["PixelData"].value
    expected = header.rows * header.columns * allocated // 8
    if len(data) not in (expected, expected + expected % 2):
        raise ImportRejected(
            f"'{header.header.path.name}' has {len(data)} bytes of pixel data where {expected} belong: "
            "it is cut short or damaged."
        )
    order = ">" if header.header.transfer_syntax_uid == _BIG_ENDIAN else "<"
    kind = np.dtype(f"{order}{'i' if is_signed else 'u'}{allocated // 8}")
    return np.frombuffer(data, dtype=kind, count=header.rows * header.columns).reshape(header.rows, header.columns)


def _without_unused_bits(raw: NDArray[Any], stored_bits: int, *, is_signed: bool, name: str) -> NDArray[Any]:
    """Values must lie in the range that Bits Stored promises; bits above it would be guesswork."""
    if stored_bits == raw.dtype.itemsize * 8:
        return raw
    low, high = (-(1 << (stored_bits - 1)), (1 << (stored_bits - 1)) - 1) if is_signed else (0, (1 << stored_bits) - 1)
    if raw.min() < low or raw.max() > high:
        raise ImportRejected(f"'{name}' has pixel values outside its {stored_bits} stored bits; they are ambiguous.")
    return raw
