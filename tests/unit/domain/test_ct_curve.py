"""What is refused and what is suspicious in a CT curve; the limits against real curves and swapped columns."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from ert.domain.ct_curve import (
    METAL_HU,
    ProblemLevel,
    SiteCtCurve,
    check_site_curve,
    curve_problems,
    curve_warnings,
)
from ert.domain.image import CtCurve, CtCurvePoint
from ert.domain.materials import ct_curve_from_csv, ct_curve_to_csv, default_ct_curve
from ert.errors import Refused

ROWS = [tuple(attrs.astuple(p)) for p in default_ct_curve().points]
FIELDS = ("hu", "density_g_cm3", "relative_stopping", "relative_scattering")


def points(rows) -> tuple[CtCurvePoint, ...]:
    return tuple(CtCurvePoint(**dict(zip(FIELDS, row, strict=True))) for row in rows)


def changed(row: int, field: str, value: float) -> tuple[CtCurvePoint, ...]:
    found = list(default_ct_curve().points)
    found[row] = attrs.evolve(found[row], **{field: value})
    return tuple(found)


def problems(given, level=ProblemLevel.REFUSED, **kwargs):
    return [(p.row, p.column) for p in curve_problems(given, **kwargs) if p.level is level]


def site_curve(**changes) -> SiteCtCurve:
    made = SiteCtCurve(
        curve=CtCurve(name="Room 2", points=default_ct_curve().points), scanner="CT", kvp=120,
        measured_on=dt.date(2026, 1, 5), author="A",
    )  # fmt: skip
    return attrs.evolve(made, **changes)


def test_the_shipped_curve_has_nothing_against_it():
    assert curve_problems(default_ct_curve().points, usual=default_ct_curve()) == ()
    check_site_curve(site_curve())


# Densities of Schneider, Bortfeld and Schlegel 2000 (Phys Med Biol 45:459) at the ends of the linear pieces, as GATE's
# Schneider2000DensitiesTable prints them; the curve dips at 100 HU, as curves of real scanners do.
SCHNEIDER = [(-1000, 0.00121), (-98, 0.93), (-97, 0.930486), (14, 1.03), (23, 1.031), (100, 1.1199), (101, 1.0762),
             (1600, 1.9642), (3000, 2.8)]  # fmt: skip


def test_a_published_curve_is_taken_and_its_dip_is_told():
    given = points([(hu, density, density, density) for hu, density in SCHNEIDER])
    assert problems(given) == []
    suspicious = problems(given, ProblemLevel.SUSPICIOUS)
    assert (6, "density_g_cm3") in suspicious


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        (3, "density_g_cm3", 0.0),
        (3, "relative_stopping", -0.5),
        (5, "relative_scattering", float("nan")),
        (5, "hu", float("inf")),
        (5, "hu", 4e4),
        (9, "density_g_cm3", 24.0),
        (4, "hu", -80.0),  # below the point before
        (4, "hu", -73.0),  # the same
    ],
)
def test_a_cell_that_cannot_be_is_refused_where_it_stands(row, field, value):
    assert problems(changed(row, field, value)) == [(row, field)]


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        (4, "relative_stopping", 0.8),  # water that does not stop like water
        (4, "density_g_cm3", 1.15),
        (8, "relative_stopping", 172.0),  # percent
        (3, "relative_scattering", 0.0823),  # a lost digit
        (7, "density_g_cm3", 11.8),
        (1, "density_g_cm3", 0.9),  # air as dense as fat
    ],
)
def test_values_that_do_not_fit_one_another_are_refused(row, field, value):
    found = problems(changed(row, field, value))
    assert found
    assert any(abs(r - row) <= 1 for r, _ in found)


def test_swapped_columns_are_refused():
    swapped = points([(hu, density, scattering, stopping) for hu, density, stopping, scattering in ROWS])
    assert problems(swapped)
    percent = points([(hu, d, 100 * s, 100 * t) for hu, d, s, t in ROWS])
    assert problems(percent)


def test_a_curve_must_reach_from_air_to_metal():
    rows = [row for row in ROWS if row[0] > -1000]
    assert (0, "hu") in problems(points(rows))
    rows = [row for row in ROWS if row[0] < METAL_HU]
    assert problems(points(rows)) == [(len(rows) - 1, "hu")]
    at_the_limit = [*rows, (METAL_HU, 3.0, 2.5, 5.3)]
    assert problems(points(at_the_limit)) == []


def test_too_few_and_too_many_points_are_refused():
    assert problems(points(ROWS[:1])) == [(None, None)]
    many = [(-1000 + 20 * n, 0.001 * n + 0.001, 0.001 * n + 0.001, 0.001 * n + 0.001) for n in range(201)]
    assert (None, None) in problems(points(many))


def test_what_differs_from_the_usual_is_suspicious_not_refused():
    usual = default_ct_curve()
    given = changed(7, "relative_scattering", 1.235 * 1.25)  # spongiosa
    assert problems(given, usual=usual) == []
    assert (7, "relative_scattering") in problems(given, ProblemLevel.SUSPICIOUS, usual=usual)
    assert "+25 % from the default" in " ".join(p.sentence for p in curve_problems(given, usual=usual))
    sparse = points([(-1000, 0.0012, 0.0011, 0.0011), (0, 1, 1, 1), (1404, 1.92, 1.722, 2.626), (3071, 2.7, 2.24, 4.2)])
    assert problems(sparse) == []
    assert "no point between 0 and 1404 HU" in " ".join(curve_warnings(sparse))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scanner": " "}, "needs the scanner"),
        ({"author": ""}, "needs an author"),
        ({"kvp": 12}, "40 to 200 kV"),
        ({"curve": CtCurve(name=" ", points=default_ct_curve().points)}, "needs a name"),
        ({"curve": CtCurve(name="x", points=changed(8, "relative_stopping", 172.0))}, "problems in all"),
    ],
)
def test_a_site_curve_without_provenance_or_with_refused_points_is_refused(changes, sentence):
    with pytest.raises(Refused, match=sentence):
        check_site_curve(site_curve(**changes))


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_curve_of_semicolons_is_the_same_with_either_decimal_sign(decimal):
    lines = ct_curve_to_csv(default_ct_curve()).splitlines()
    table = "\r\n".join(line.replace(",", ";").replace(".", decimal) for line in lines)
    assert ct_curve_from_csv(table, name=default_ct_curve().name) == default_ct_curve()


def test_decimal_commas_between_commas_are_refused():
    """`0,269` would be two values, and every one behind it another quantity's."""
    lines = ct_curve_to_csv(default_ct_curve()).splitlines()
    table = "\n".join([lines[0], *(line.replace(".", ",") for line in lines[1:])])
    with pytest.raises(Refused, match="line 2: more values than the first line has names"):
        ct_curve_from_csv(table, name="shifted")


def test_a_curve_survives_its_csv_bit_for_bit():
    odd = CtCurve(
        name="odd",
        points=points([(-1000.5, 0.1 + 0.2, 1 / 3, 1e-7), (3071, 2.0000000000000004, 5e-324, 7.0)]),
    )
    assert ct_curve_from_csv(ct_curve_to_csv(odd), name="odd") == odd
    assert ct_curve_from_csv(ct_curve_to_csv(default_ct_curve()), name=default_ct_curve().name) == default_ct_curve()


def test_digest_tells_every_field_and_the_points_apart():
    a = site_curve()
    assert a.digest == attrs.evolve(a).digest
    for changes in ({"note": "x"}, {"kvp": 140}, {"measured_on": dt.date(2026, 1, 6)}, {"author": "B"}):
        assert attrs.evolve(a, **changes).digest != a.digest
