"""The acceptance table of a fitted energy, in the spirit of AAPM MPPG 5.b (Geurts et al. 2022, Table 10).

A test that needs measurements which the beam data folder does not hold stands in the table as not measured: nothing is
passed that was not tried. Oblique incidence (8.3) and inhomogeneity (8.4) are judged on the folder's phantom checks: at
each point above 10 % of the check's maximum the difference that is left when the computed line may be shifted by up to
2 mm (the phantom's position), in percent of that maximum; the worst point decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ert.domain.acceptance import AcceptanceTest, Verdict
from ert.domain.commissioning import CheckComparison, CurveComparison, DepthComparison, EnergyReport, OutputComparison
from ert.reports.model_figures import check_top_cgy, worst_after_shift_pct

REFERENCE_PCT = 0.5
GAMMA_PASS_PCT = 95.0
DEPTH_MM = 1.0
PROFILE_PCT = 1.5
PENUMBRA_MM = 1.5
OUTPUT_PCT = 1.5
SMALL_OUTPUT_PCT = 3.0
SMALL_SIDE_CM = 4.0
OBLIQUE_PCT = 5.0
HETEROGENEOUS_PCT = 7.0
_INSIDE = 0.4
_LEAST_SHOWN = 0.005
_NOT_MEASURED = "the beam data hold no such measurement"


def acceptance_tests(report: EnergyReport, *, reference_name: str) -> tuple[AcceptanceTest, ...]:
    """All rows for one energy.

    Parameters
    ----------
    report : the comparison of measured and computed curves.
    reference_name : name of the open reference field, as in the report's outputs and curves.
    """
    large = [o for o in report.outputs if o.side_cm >= SMALL_SIDE_CM]
    small = [o for o in report.outputs if o.side_cm < SMALL_SIDE_CM]
    r90_cm = next((d.measured_cm for d in report.depths if d.name == "R90"), math.inf)
    profiles = [c for c in report.curves if c.kind == "profile" and c.depth_cm <= r90_cm]
    others = [c for c in report.curves if not c.name.startswith(reference_name)]
    return (
        _reference(report.outputs, reference_name),
        _gamma(others),
        _checks(report.checks, "oblique", "8.3", "oblique incidence, surface irregularity", OBLIQUE_PCT),
        _checks(report.checks, "heterogeneous", "8.4", "inhomogeneity", HETEROGENEOUS_PCT),
        _depths(report.depths),
        _profiles(profiles),
        _penumbras(profiles),
        _outputs(large, "internal 4", "output, openings of 4 cm and more", OUTPUT_PCT),
        _outputs(small, "internal 5", "output, openings below 4 cm", SMALL_OUTPUT_PCT),
    )


def _row(number: str, description: str, values: Iterable[tuple[float, str]], limit: float, unit: str) -> AcceptanceTest:
    """A row whose worst value must not exceed a limit."""
    tolerance = f"{limit:g} {unit}"
    usable = [(abs(v), v, where) for v, where in values if not math.isnan(v)]
    if not usable:
        return _absent(number, description, tolerance)
    size, value, where = max(usable)
    shown = f"{value:+.2f}" if size >= _LEAST_SHOWN else "0.00"
    verdict = Verdict.PASSED if size <= limit else Verdict.FAILED
    return AcceptanceTest(
        number=number, description=description, tolerance=tolerance, found=f"{shown} {unit}", where=where,
        verdict=verdict,
    )  # fmt: skip


def _absent(number: str, description: str, tolerance: str) -> AcceptanceTest:
    return AcceptanceTest(
        number=number, description=description, tolerance=tolerance, found="\N{EN DASH}", where=_NOT_MEASURED,
        verdict=Verdict.NOT_MEASURED,
    )  # fmt: skip


def _reference(outputs: tuple[OutputComparison, ...], name: str) -> AcceptanceTest:
    values = [(o.difference_pct, o.name) for o in outputs if o.name == name]
    return _row("8.1", "dose per MU at the reference condition", values, REFERENCE_PCT, "%")


def _gamma(curves: list[CurveComparison]) -> AcceptanceTest:
    description = "shaped fields, standard and extended SSD"
    tolerance = f"3 %/3 mm for {GAMMA_PASS_PCT:g} % of points"
    if not curves:
        return _absent("8.2", description, tolerance)
    worst = min(curves, key=lambda c: c.gamma_3_3_pct)
    verdict = Verdict.PASSED if worst.gamma_3_3_pct >= GAMMA_PASS_PCT else Verdict.FAILED
    return AcceptanceTest(
        number="8.2", description=description, tolerance=tolerance, found=f"{worst.gamma_3_3_pct:.1f} %",
        where=worst.name, verdict=verdict,
    )  # fmt: skip


def _checks(
    checks: tuple[CheckComparison, ...], kind: str, number: str, description: str, limit_pct: float
) -> AcceptanceTest:
    """The worst point of all phantom checks of a kind; a check that the engine refuses fails."""
    asked = [c for c in checks if c.kind == kind]
    refused = next((c for c in asked if c.refusal), None)
    if refused is not None:
        return AcceptanceTest(
            number=number, description=description, tolerance=f"{limit_pct:g} %", found="refused",
            where=f"{refused.name}: {refused.refusal}", verdict=Verdict.FAILED,
        )  # fmt: skip
    values = [(worst_after_shift_pct(line, check_top_cgy(c)), line.name) for c in asked for line in c.curves]
    return _row(number, description, values, limit_pct, "%")


def _depths(depths: tuple[DepthComparison, ...]) -> AcceptanceTest:
    values = [(10.0 * (d.computed_cm - d.measured_cm), d.name) for d in depths]
    return _row("internal 1", "R90, R80, R50, Rp of the reference field", values, DEPTH_MM, "mm")


def _profiles(curves: list[CurveComparison]) -> AcceptanceTest:
    """Root mean square difference within 80 % of the field, the measurement's own noise deducted."""
    values = [(_inside_pct(c), c.name) for c in curves]
    return _row("internal 2", "profiles to R90, inside 80 % of the field", values, PROFILE_PCT, "%")


def _inside_pct(curve: CurveComparison) -> float:
    width = math.nan if curve.measured_edges is None else curve.measured_edges.width_cm
    if math.isnan(width):
        return math.nan
    inside = np.abs(curve.position_cm) < _INSIDE * width
    if not inside.any():
        return math.nan
    top = float(curve.measured_cgy_per_mu.max())
    difference = (curve.computed_cgy_per_mu - curve.measured_cgy_per_mu)[inside]
    noise = float(np.mean(curve.sigma_cgy_per_mu[inside] ** 2))
    return 100.0 * math.sqrt(max(0.0, float(np.mean(difference**2)) - noise)) / top


def _penumbras(curves: list[CurveComparison]) -> AcceptanceTest:
    values = [
        (10.0 * (c.computed_edges.penumbra_cm - c.measured_edges.penumbra_cm), c.name)
        for c in curves
        if c.measured_edges is not None and c.computed_edges is not None
    ]
    return _row("internal 3", "penumbra 80\N{EN DASH}20 % to R90", values, PENUMBRA_MM, "mm")


def _outputs(outputs: Iterable[OutputComparison], number: str, description: str, limit_pct: float) -> AcceptanceTest:
    values = [(o.difference_pct, o.name) for o in outputs]
    return _row(number, description, values, limit_pct, "%")
