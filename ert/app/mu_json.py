"""Checks of monitor units as JSON, for other programs."""

from __future__ import annotations

from typing import Any

from ert.app.mu_service import MuChecks
from ert.domain.monitor_units import BeamMuCheck, Factor, MuWorksheet


def checks_as_json(made: MuChecks) -> dict[str, Any]:
    """Everything as JSON types."""
    return {
        "machine": made.package.machine.name,
        "machine_digest": made.package.digest,
        "is_demo": made.package.is_demo,
        "subject": made.subject,
        "notice": "Research software, not a cleared medical device.",
        "notes": list(made.notes),
        "beams": [_check(c) for c in made.checks],
    }


def _check(check: BeamMuCheck) -> dict[str, Any]:
    return {
        "number": check.beam_number,
        "name": check.beam_name,
        "energy_mev": check.energy_mev,
        "applicator": check.applicator_id,
        "ssd_cm": check.ssd_cm,
        "equivalent_ellipse_cm": [check.width_cm, check.length_cm],
        "dose_basis": check.dose_basis,
        "engine_mu": check.engine_mu,
        "tg71_mu": None if check.worksheet is None else check.worksheet.tg71_mu,
        "difference_mu": check.difference_mu,
        "difference_percent": check.difference_pct,
        "verdict": check.verdict.value,
        "refusal": check.refusal or None,
        "worksheet": None if check.worksheet is None else _sheet(check.worksheet),
        "engine_factors": [_factor(f) for f in check.engine_factors],
        "cutout_factor": [
            {"way": w.key, "factor": None if w.factor is None else _factor(w.factor), "refusal": w.refusal or None}
            for w in check.ways
        ],
    }


def _sheet(sheet: MuWorksheet) -> dict[str, Any]:
    return {
        "dose_cgy": sheet.dose_cgy,
        "depth_cm": sheet.depth_cm,
        "depth_of_normalisation_cm": sheet.depth_of_normalisation_cm,
        "formula": sheet.formula,
        "relative_sigma": sheet.relative_sigma,
        "factors": [_factor(f) for f in sheet.factors],
        "other_distance_factor": None if sheet.other_distance is None else _factor(sheet.other_distance),
        "assumptions": list(sheet.assumptions),
        "notes": list(sheet.notes),
    }


def _factor(factor: Factor) -> dict[str, Any]:
    return {
        "symbol": factor.symbol,
        "name": factor.name,
        "value": factor.value,
        "unit": factor.unit,
        "relative_sigma": factor.relative_sigma,
        "source": factor.source.value,
        "detail": factor.detail,
    }
