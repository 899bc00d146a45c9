"""The worksheet of one beam: monitor units by AAPM TG-71 from measured tables, and the cutout factor three ways."""

from __future__ import annotations

import math

import attrs

from ert.domain.beam_model import BeamModel
from ert.domain.device import Outline
from ert.domain.monitor_units import CutoutWay, Factor, FactorSource, MuWorksheet
from ert.domain.output_tables import OutputTables
from ert.dose.geometry import BeamGeometry
from ert.dose.lateral_buildup import sector_cutout_factor
from ert.dose.monitor import MonitorFactors
from ert.dose.tg71 import monitor_units
from ert.dose.tg71_depth import depth_of_maximum_cm, percent_depth_dose
from ert.dose.tg71_distance import distance_factor
from ert.dose.tg71_tables import applicator_factor, cutout_factor
from ert.dose.water import given_point_cm
from ert.errors import OutsideModel
from ert.geometry.opening import OpeningShape, opening_shape, signed_distance_cm

MEANINGS = {
    "D'0": "Dose per monitor unit of the open reference field at its depth of maximum, as the monitor is calibrated.",
    "AF": "Output of the open applicator over that of the reference applicator.",
    "CF": "Output with the cutout over that of the same applicator left open.",
    "DF": "Output at this distance over that at the standard distance.",
    "PDD": "Dose at the depth asked for, in per cent of this field's maximum.",
}
_ENGINE_SIGMA = 0.015
_DEEP_FRAC = 0.35


@attrs.frozen(kw_only=True)
class FieldToCheck:
    """What a worksheet is made for.

    Attributes
    ----------
    outline_cm : opening at the isocentre plane, projected from the nominal source.
    dose_cgy : of one fraction, to the point at depth_cm; depth None is the depth of the field's maximum.
    at_cm : where the line of calculation passes the opening.
    """

    applicator_id: str
    outline_cm: Outline
    ssd_cm: float
    dose_cgy: float
    depth_cm: float | None = None
    at_cm: tuple[float, float] = (0.0, 0.0)


def worksheet(tables: OutputTables, field: FieldToCheck) -> MuWorksheet:
    """Monitor units of a field by equation (1).

    Raises
    ------
    OutsideModel
        A factor lies outside what was measured; the sentence names it.
    """
    shape = opening_shape(field.outline_cm)
    applicator = applicator_factor(tables, field.applicator_id)
    cutout = cutout_factor(tables, field.applicator_id, shape)
    rectangle = shape.rectangle_cm
    top = depth_of_maximum_cm(tables, field.applicator_id, rectangle)
    distance = distance_factor(tables, field.applicator_id, rectangle, ssd_cm=field.ssd_cm, depth_max_cm=top)
    if field.depth_cm is None:
        depth_dose = _at_maximum(top)
    else:
        source = distance.source_cm or tables.reference_ssd_cm
        depth_dose = percent_depth_dose(
            tables, field.applicator_id, rectangle, field.depth_cm, gap_cm=distance.gap_cm, source_cm=source
        )
    calibration = Factor(
        symbol="D'0",
        name="Calibration",
        value=tables.reference_cgy_per_mu,
        unit="cGy/MU",
        relative_sigma=0.0,
        source=FactorSource.ENTERED,
        detail=f"open {tables.reference_applicator_id}, SSD {tables.reference_ssd_cm:g} cm, depth of maximum",
    )
    factors = [calibration, applicator, cutout, distance.chosen, depth_dose]
    mu = monitor_units(
        dose_cgy=field.dose_cgy,
        calibration_cgy_per_mu=calibration.value,
        pdd_pct=depth_dose.value,
        output_factor=applicator.value * cutout.value * distance.chosen.value,
    )
    explained = [attrs.evolve(f, meaning=MEANINGS[f.symbol]) for f in factors]
    return MuWorksheet(
        dose_cgy=field.dose_cgy,
        depth_cm=top if field.depth_cm is None else field.depth_cm,
        depth_of_normalisation_cm=top,
        calibration=explained[0],
        applicator=explained[1],
        cutout=explained[2],
        distance=explained[3],
        other_distance=distance.other,
        depth_dose=explained[4],
        tg71_mu=mu,
        relative_sigma=math.sqrt(sum(f.relative_sigma**2 for f in factors)),
        notes=tuple(_notes(shape, field)),
    )


def _at_maximum(top_cm: float) -> Factor:
    return Factor(
        symbol="PDD",
        name="Percentage depth dose",
        value=100.0,
        unit="%",
        relative_sigma=0.0,
        source=FactorSource.ENTERED,
        detail=f"dose stated at the depth of maximum, {top_cm:.2f} cm",
    )


def _notes(shape: OpeningShape, field: FieldToCheck) -> list[str]:
    notes = []
    if field.at_cm != (0.0, 0.0):
        notes.append("The opening leaves out the beam axis; the hand check knows no off-axis ratio.")
    inside_cm = float(signed_distance_cm(field.outline_cm, [field.at_cm])[0])
    if inside_cm < _DEEP_FRAC * shape.width_cm:
        away_cm = math.dist(field.at_cm, shape.circle_centre_cm)
        notes.append(
            f"The line of calculation passes {max(inside_cm, 0.0):.1f} cm from the opening's edge and {away_cm:.1f} cm "
            "from the middle of its widest part, for which measured cutout factors hold."
        )
    return notes


def cutout_ways(
    tables: OutputTables | None, geometry: BeamGeometry, engine: MonitorFactors, model: BeamModel
) -> tuple[CutoutWay, ...]:
    """The cutout factor from measured cutouts, by sectors, and by the dose engine: each a factor or a refusal."""
    shape = opening_shape(geometry.outline_cm)
    applicator_id = geometry.applicator.id
    ways = []
    for key, name in (("measured", "Measured cutouts"), ("sectors", "Lateral build-up, sectors")):
        factor, refusal = None, "This machine package holds no measured output tables."
        if tables is not None:
            try:
                if key == "measured":
                    factor = cutout_factor(tables, applicator_id, shape)
                else:
                    at = given_point_cm(geometry.outline_cm)
                    factor = sector_cutout_factor(tables, applicator_id, geometry.outline_cm, shape, at)
                refusal = ""
            except OutsideModel as error:
                refusal = str(error)
        ways.append(CutoutWay(key=key, name=name, factor=factor, refusal=refusal))
    return (*ways, CutoutWay(key="engine", name="Dose engine in water", factor=engine_factors(engine, model)[2]))


def engine_factors(engine: MonitorFactors, model: BeamModel) -> tuple[Factor, ...]:
    """What the dose engine gives for D'0, applicator, cutout and distance, as factors."""

    def factor(symbol: str, name: str, value: float, sigma: float, unit: str = "") -> Factor:
        return Factor(
            symbol=symbol,
            name=name,
            value=value,
            unit=unit,
            relative_sigma=sigma,
            source=FactorSource.COMPUTED,
            detail=f"pencil beam in water, model {model.digest[:12]}",
            meaning=MEANINGS[symbol],
        )

    return (
        factor("D'0", "Calibration", engine.reference_cgy_per_mu, 0.0, "cGy/MU"),
        factor("AF", "Applicator factor", engine.applicator_factor, _ENGINE_SIGMA),
        factor("CF", "Cutout factor", engine.cutout_factor, _ENGINE_SIGMA),
        factor("DF", "Distance factor", engine.ssd_factor, _ENGINE_SIGMA),
    )
