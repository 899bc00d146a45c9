"""Digests: the same content always gives the same name.

Canonical bytes: JSON with sorted keys, floats as ``float.hex()`` (so that no digit is lost), −0.0 as 0.0, NaN and
infinities refused, dates as ISO 8601 text, arrays as dtype + shape + SHA-256 of their little-endian C-order bytes.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import json
import math
import uuid
from typing import Any

import attrs
import numpy as np

from ert.errors import Refused

NAMED_ONLY_IF_SET = "ert named only if set"
"""Metadata key of fields that were added later: where they are None the digest stays what it was without them."""


def new_id() -> str:
    """A new random record id (UUID 4, text)."""
    return str(uuid.uuid4())


def array_digest(array: np.ndarray[Any, Any]) -> str:
    """SHA-256 (hex) over dtype, shape and bytes of an array."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    head = f"{little.dtype.str}|{little.shape}|".encode()
    return hashlib.sha256(head + little.tobytes()).hexdigest()


def _canonical(value: Any) -> Any:  # noqa: ANN401, PLR0911
    """Turn a domain value into JSON types with exact floats."""
    if value is None or isinstance(value, bool | int | str) and not isinstance(value, enum.Enum):
        return value
    if isinstance(value, enum.Enum | dt.date):
        return value.isoformat() if isinstance(value, dt.date) else str(value.value)
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise Refused("A value that is not a finite number cannot be recorded.")
        return (float(value) + 0.0).hex()
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.ndarray):
        return {"array": array_digest(value)}
    if isinstance(value, tuple | list):
        return [_canonical(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _canonical(v) for k, v in value.items()}
    if attrs.has(type(value)):
        fields = {
            a.name: _canonical(getattr(value, a.name))
            for a in attrs.fields(type(value))
            if a.eq is not False and not (a.metadata.get(NAMED_ONLY_IF_SET) and getattr(value, a.name) is None)
        }
        return {"type": type(value).__name__, **fields}
    raise TypeError(f"no canonical form for {type(value).__name__}")


def canonical_bytes(value: Any) -> bytes:  # noqa: ANN401
    """Canonical bytes of a domain value, array, or nest of tuples, lists and dicts of such.

    Raises
    ------
    Refused
        If a float is NaN or infinite.
    """
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def digest_of(value: Any) -> str:  # noqa: ANN401
    """SHA-256 (hex) of the canonical bytes."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A C-order view or copy of the array that cannot be written to."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
