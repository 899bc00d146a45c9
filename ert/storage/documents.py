"""Domain values as documents: strict JSON with a name and a version, and back. Arrays never stand in documents.

Every field must be present and no other; numbers keep their exact bits; NaN and infinity are refused both ways. A newer
document is refused with a sentence, an older one is brought up one version at a time by `UPGRADES`.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import math
import threading
import typing
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

import attrs
import cattrs
import zstandard
from cattrs.gen import make_dict_structure_fn

from ert import strictjson
from ert.errors import BadTag, ErtError, Refused, SchemaTooNew

T = TypeVar("T")
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

VERSIONS: Mapping[str, int] = {
    "patient": 2,
    "course": 1,
    "ct_image": 1,
    "structure_set": 1,
    "plan": 4,
    "dose": 2,
    "approval": 1,
    "approval_end": 1,
    "second_check": 2,
    "check_tolerance": 1,
    "machine": 1,
    "ct_curve": 1,
    "material": 1,
    "machine_release": 1,
    "user": 2,
    "identity_provider": 1,
    "identity_link": 1,
    "workstation": 1,
    "emergency_envelope": 1,
    "change": 1,
    "draft": 1,
    "presence": 1,
    "exclusive_lock": 1,
    "password_rule": 1,
    "approval_rule": 1,
    "site_lock": 1,
}


def _with_machine_version(plan: dict[str, Any]) -> dict[str, Any]:
    """Plan 1 → 2: beams name the version of their machine; it was not recorded before."""
    return {**plan, "beams": [{**beam, "machine_digest": ""} for beam in plan["beams"]]}


def _with_uncertainty(plan: dict[str, Any]) -> dict[str, Any]:
    """Plan 2 → 3: plans say how certain a Monte Carlo dose shall be; no plan had one before."""
    return {**plan, "uncertainty_pct": 2.0}


def _with_beam_algorithms(plan: dict[str, Any]) -> dict[str, Any]:
    """Plan 3 → 4: a beam may name an algorithm of its own; none did before."""
    return {**plan, "beams": [{**beam, "algorithm": None} for beam in plan["beams"]]}


def _without_noise(dose: dict[str, Any]) -> dict[str, Any]:
    """Dose 1 → 2: a Monte Carlo dose has statistics; no dose was kept with any before."""
    return {**dose, "statistics": None}


def _without_source(kept: dict[str, Any]) -> dict[str, Any]:
    """Second check 1 → 2: a check says whose its limits are; they were the program's, and nobody said so."""
    return {**kept, "check": {**kept["check"], "tolerances_source": ""}}


def _active(patient: dict[str, Any]) -> dict[str, Any]:
    """Patient 1 → 2: whether the record is active; all were."""
    return {**patient, "is_active": True}


def _with_rights(user: dict[str, Any]) -> dict[str, Any]:
    """User 1 → 2: a site had one administrator, who could do everything."""
    return {
        "level": "elevated",
        "features": ["facility_configuration", "im_device", "plan_approval"],
        "is_administrator": True,
        "is_disabled": False,
        "must_change_password": False,
        "public_ed25519": user["public_ed25519"],
        "slots_since": "",
        "withdrawn_slot": "",
    }


UPGRADES: Mapping[tuple[str, int], Upgrade] = {
    ("plan", 1): _with_machine_version,
    ("plan", 2): _with_uncertainty,
    ("plan", 3): _with_beam_algorithms,
    ("second_check", 1): _without_source,
    ("dose", 1): _without_noise,
    ("patient", 1): _active,
    ("user", 1): _with_rights,
}
MAXIMUM_DOCUMENT_BYTES = 32 * 1024 * 1024
_LEVEL = 6
_OF_THREAD = threading.local()


def write_document(name: str, content: dict[str, Any]) -> bytes:
    """Return the packed bytes of a document.

    Raises
    ------
    Refused
        If it holds a number that is not finite.
    """
    try:
        text = strictjson.dump({"document": name, "version": VERSIONS[name], "content": content})
    except ValueError as exc:
        raise Refused("A value that is not a finite number cannot be recorded.", detail=f"document {name}") from exc
    return zstandard.ZstdCompressor(level=_LEVEL).compress(text)


def read_document(
    name: str,
    data: bytes,
    *,
    versions: Mapping[str, int] = VERSIONS,
    upgrades: Mapping[tuple[str, int], Upgrade] = UPGRADES,
) -> dict[str, Any]:
    """Return the content of a document in its present version.

    Raises
    ------
    BadTag
        Not a document of that name.
    SchemaTooNew
        Written by a newer version.
    """
    try:
        outer = strictjson.load(_unpacked(data))
        found, version, content = outer.pop("document"), outer.pop("version"), outer.pop("content")
    except (ValueError, TypeError, KeyError, AttributeError, zstandard.ZstdError) as exc:
        raise _damaged(name, type(exc).__name__) from exc
    if found != name or outer or type(version) is not int or not isinstance(content, dict) or version < 1:
        raise _damaged(name, "head")
    if version > versions[name]:
        raise SchemaTooNew(
            f"A {name.replace('_', ' ')} record was written by a newer version of the program.",
            hint="Update the program on this workstation.",
            detail=f"document {name} version {version}",
        )
    current: dict[str, Any] = content
    for step in range(version, versions[name]):
        current = upgrades[name, step](current)
    return current


def to_content(value: Any, *, omit: Iterable[str] = ()) -> dict[str, Any]:  # noqa: ANN401
    """Return an attrs value as JSON types, without the fields in `omit` (arrays)."""
    left_out = set(omit)
    return {
        a.name: _CONVERTER.unstructure(getattr(value, a.name))
        for a in attrs.fields(type(value))
        if a.name not in left_out
    }


def from_content(content: dict[str, Any], cls: type[T], **given: Any) -> T:  # noqa: ANN401
    """Return the attrs value of a document; fields in `given` (arrays) come from elsewhere.

    Raises
    ------
    BadTag
        A field is missing, unknown or of another type, or the value breaks a rule of the domain.
    """
    hints = _hints(typing.cast("Hashable", cls))
    names = {a.name for a in attrs.fields(typing.cast("type[attrs.AttrsInstance]", cls))}
    if set(content) != names - set(given):
        raise _damaged(cls.__name__, f"fields {sorted(set(content) ^ (names - set(given)))}")
    try:
        if not given:
            return _CONVERTER.structure(content, cls)
        fields = {name: _CONVERTER.structure(value, hints[name]) for name, value in content.items()}
        return cls(**fields, **given)
    except (ValueError, TypeError, KeyError, cattrs.BaseValidationError, ErtError) as exc:
        raise _damaged(cls.__name__, type(exc).__name__) from exc


@functools.cache
def _hints(cls: Hashable) -> dict[str, Any]:
    """Types of a class's fields; working them out anew took two thirds of the time of a list of patients."""
    return typing.get_type_hints(typing.cast("type", cls))


def _unpacked(data: bytes) -> bytes:
    size = zstandard.frame_content_size(data)
    if not 0 <= size <= MAXIMUM_DOCUMENT_BYTES:
        raise ValueError("document longer than allowed")
    if not hasattr(_OF_THREAD, "unpack"):
        _OF_THREAD.unpack = zstandard.ZstdDecompressor().decompress  # making one costs as much as ten documents
    unpacked: bytes = _OF_THREAD.unpack(data, max_output_size=size, allow_extra_data=False)
    return unpacked


def _exactly(wanted: type) -> Callable[[Any, Any], Any]:
    def structure(value: Any, asked: Any) -> Any:  # noqa: ANN401
        if type(value) is not wanted:
            raise TypeError(f"{type(value).__name__} instead of {wanted.__name__}")
        # The converter sends a `StrEnum` here too, because it is a string; left alone it would stay one.
        return value if asked is wanted else asked(value)

    return structure


def _number(value: Any, _: Any) -> float:  # noqa: ANN401
    """Accept integers where a float may stand, unchanged: the digest of what was written must come out again."""
    if type(value) not in {float, int} or not math.isfinite(value):
        raise TypeError("not a finite number")
    return value  # type: ignore[no-any-return]


def _date(value: Any, _: Any) -> dt.date:  # noqa: ANN401
    if type(value) is not str:
        raise TypeError("not a date")
    return dt.date.fromisoformat(value)


def _is_tuple(cls: Any) -> bool:  # noqa: ANN401
    origin: object = typing.get_origin(cls)
    return origin is tuple


def _tuple_of(cls: Any) -> Callable[[Any, Any], Any]:  # noqa: ANN401
    """Structure a tuple from a list: of any length if it ends in ``...``, else of exactly its length."""
    items = typing.get_args(cls)
    is_open = items[-1] is Ellipsis

    def structure(value: Any, _: Any) -> Any:  # noqa: ANN401
        if type(value) not in {list, tuple} or not (is_open or len(value) == len(items)):
            raise TypeError("not a list of the right length")
        wanted = [items[0]] * len(value) if is_open else items
        return tuple(_CONVERTER.structure(item, kind) for item, kind in zip(value, wanted, strict=True))

    return structure


def _all_fields(cls: type[Any]) -> Callable[[Any, Any], Any]:
    """Structure an attrs class from a mapping with exactly its fields; defaults never fill a gap."""
    names = {a.name for a in attrs.fields(cls)}
    inner = make_dict_structure_fn(cls, _CONVERTER, _cattrs_forbid_extra_keys=True)

    def structure(value: Any, wanted: Any) -> Any:  # noqa: ANN401
        if not isinstance(value, dict) or set(value) != names:
            raise TypeError(f"fields of {cls.__name__} differ")
        return inner(value, wanted)

    return structure


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
    for wanted in (int, str, bool):
        converter.register_structure_hook(wanted, _exactly(wanted))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(dt.date, _date)
    converter.register_structure_hook(enum.Enum, lambda value, cls: cls(value))
    converter.register_unstructure_hook(enum.Enum, lambda value: value.value)
    converter.register_unstructure_hook(dt.date, lambda value: value.isoformat())
    converter.register_structure_hook_factory(_is_tuple, _tuple_of)
    converter.register_structure_hook_factory(attrs.has, _all_fields)
    return converter


_CONVERTER = _make_converter()


def _damaged(name: str, detail: str) -> BadTag:
    return BadTag(
        f"A {name.replace('_', ' ')} record of this site cannot be read; it was not used.",
        hint="Run 'ert check' and restore the record from a backup.",
        detail=f"document {name}: {detail}",
    )
