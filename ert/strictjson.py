"""JSON as the program accepts it: no duplicate keys, no NaN or infinity, a bounded size; and its canonical bytes."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MAXIMUM_BYTES = 64 * 1024 * 1024


def load(data: bytes, *, maximum_bytes: int = MAXIMUM_BYTES) -> Any:  # noqa: ANN401
    """Parse UTF-8 JSON.

    Raises
    ------
    ValueError
        For anything that is not strict JSON, or longer than allowed.
    """
    if len(data) > maximum_bytes:
        raise ValueError("JSON longer than allowed")
    try:
        return _DECODER.decode(data.decode("utf-8"))
    except RecursionError as exc:
        raise ValueError("JSON nested too deeply") from exc


def dump(value: Any) -> bytes:  # noqa: ANN401
    """Return canonical bytes: sorted keys, no blanks, ASCII; floats in Python's shortest exact form, never NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii")


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


_DECODER = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_no_duplicates)
