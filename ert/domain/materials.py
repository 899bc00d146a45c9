"""CT curves and materials as tables: parsing, and the ones ERT ships with.

The default curve and the materials were computed for ICRU 46 tissue compositions and common device materials from
ICRU 37 collision stopping powers and ICRU 35 scattering powers at 10 MeV; they are linear and relative to water.
"""

from __future__ import annotations

import csv
import functools
import io
import math

import attrs

from ert.domain.image import CtCurve, CtCurvePoint, Material
from ert.errors import Refused
from ert.settings import resources_dir

AIR = Material(name="air", density_g_cm3=0.0012, relative_stopping=0.0012, relative_scattering=0.0012)
"""What is outside EXTERNAL."""

_CURVE_COLUMNS = {
    "hu": "HU",
    "density_g_cm3": "mass_density_g_cm3",
    "relative_stopping": "rel_linear_collision_stopping_power",
    "relative_scattering": "rel_linear_scattering_power",
}
_MATERIAL_COLUMNS = {
    "density_g_cm3": "density_g_cm3",
    "relative_stopping": "rel_linear_collision_stopping_power",
    "relative_scattering": "rel_linear_scattering_power",
}


@attrs.frozen(kw_only=True)
class ShippedMaterial:
    """A material of the library with where its numbers come from, and other names it goes by."""

    material: Material
    source: str
    note: str = ""
    aliases: tuple[str, ...] = ()


def _number(row: dict[str, str | None], column: str, line: int, what: str) -> float:
    text = (row.get(column) or "").strip()
    try:
        value = float(text)
    except ValueError:
        raise Refused(f"{what}, line {line}: '{text}' in column {column} is not a number.") from None
    if not math.isfinite(value):
        raise Refused(f"{what}, line {line}: column {column} is not a finite number.")
    return value


def _rows(text: str, columns: dict[str, str], what: str) -> list[dict[str, str | None]]:
    """Rows by column: separated by commas, or by semicolons with decimal points or commas, as the first line is."""
    lines = text.lstrip("\ufeff")
    head = lines.partition("\n")[0]
    is_semicolon = ";" in head and "," not in head
    reader = csv.DictReader(io.StringIO(lines), delimiter=";" if is_semicolon else ",")
    names = list(reader.fieldnames or ())
    missing = [c for c in columns.values() if c not in names]
    if missing:
        raise Refused(
            f"{what} lacks the column {missing[0]}.", hint=f"Its first line must name {', '.join(columns.values())}."
        )
    rows: list[dict[str, str | None]] = []
    for line, row in enumerate(reader, start=2):
        if None in row:  # decimal commas between commas shift every value behind them
            raise Refused(
                f"{what}, line {line}: more values than the first line has names.",
                hint="Separate values by semicolons where the decimal sign is a comma.",
            )
        rows.append(
            {k: v.replace(",", ".") if is_semicolon and v and k in columns.values() else v for k, v in row.items()}
        )
    return rows


def ct_curve_from_csv(text: str, *, name: str) -> CtCurve:
    """A CT curve from CSV text with a header line; columns HU, mass_density_g_cm3 and the two linear ratios.

    Raises
    ------
    Refused
        If a column is missing, a value is not a number, or the curve breaks a rule of `CtCurve`.
    """
    what = f"CT curve '{name}'"
    rows = _rows(text, _CURVE_COLUMNS, what)
    points = [
        CtCurvePoint(**{field: _number(row, column, line, what) for field, column in _CURVE_COLUMNS.items()})
        for line, row in enumerate(rows, start=2)
    ]
    return CtCurve(name=name, points=tuple(points))


def materials_from_csv(text: str) -> dict[str, Material]:
    """Materials by name from CSV text with the columns material, density_g_cm3 and the two linear ratios.

    Raises
    ------
    Refused
        If a column is missing, a value is no number, or a name comes twice.
    """
    materials: dict[str, Material] = {}
    columns = {"name": "material", **_MATERIAL_COLUMNS}
    for line, row in enumerate(_rows(text, columns, "The materials table"), start=2):
        name = (row["material"] or "").strip()
        if not name or name in materials:
            raise Refused(f"The materials table, line {line}: '{name}' is empty or comes twice.")
        values = {f: _number(row, c, line, "The materials table") for f, c in _MATERIAL_COLUMNS.items()}
        materials[name] = Material(name=name, **values)
    return materials


@functools.cache
def default_ct_curve() -> CtCurve:
    """The curve used until a site enters its own scanner's."""
    text = (resources_dir() / "tables" / "ct_curve_default.csv").read_text(encoding="utf-8")
    return ct_curve_from_csv(text, name="ICRU 46 tissues, 120 kV")


@functools.cache
def shipped_materials() -> dict[str, ShippedMaterial]:
    """Materials ERT ships with, by name, with sources; keep it unchanged.

    Raises
    ------
    Refused
        If the table is not what ERT ships.
    """
    text = (resources_dir() / "tables" / "materials.csv").read_text(encoding="utf-8")
    columns = {name: name for name in ("material", "source", "note", "aliases")}
    rows = {(row["material"] or "").strip(): row for row in _rows(text, columns, "The materials table")}
    return {
        name: ShippedMaterial(
            material=material,
            source=rows[name]["source"] or "",
            note=rows[name]["note"] or "",
            aliases=tuple(a.strip() for a in (rows[name]["aliases"] or "").split(";") if a.strip()),
        )
        for name, material in materials_from_csv(text).items()
    }


@functools.cache
def material_library() -> dict[str, Material]:
    """Materials ERT ships with, by name; keep it unchanged."""
    return {name: shipped.material for name, shipped in shipped_materials().items()}


def material_named(name: str) -> Material:
    """A shipped material by name or alias; upper and lower case and spaces or underscores do not matter.

    Raises
    ------
    Refused
        If there is none of that name.
    """
    found = _shipped_named(name)
    if found is not None:
        return found.material
    known = ", ".join(material_library())
    raise Refused(f"There is no material '{name}'.", hint=f"Known materials are {known}.")


def is_shipped_name(name: str) -> bool:
    """True if a material that ERT ships goes by this name."""
    return _shipped_named(name) is not None


def _shipped_named(name: str) -> ShippedMaterial | None:
    wanted = _key(name)
    for shipped in shipped_materials().values():
        if wanted in {_key(n) for n in (shipped.material.name, *shipped.aliases)}:
            return shipped
    return None


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def ct_curve_to_csv(curve: CtCurve) -> str:
    """The curve as CSV with the columns `ct_curve_from_csv` reads; numbers in their shortest exact form."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_CURVE_COLUMNS.values())
    for point in curve.points:
        writer.writerow([_plain(getattr(point, field)) for field in _CURVE_COLUMNS])
    return buffer.getvalue()


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
