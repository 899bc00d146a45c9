"""The same field in a flat water phantom: dose along its axis, given dose and its depth."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.beam_model import BeamModel
from ert.domain.device import Outline
from ert.domain.identity import read_only
from ert.dose.fluence import Fluence, build_fluence, outline_scale
from ert.dose.geometry import BeamGeometry
from ert.dose.kernels.axis import line_shares, sum_on_line
from ert.dose.output import output_correction
from ert.dose.pencil_beam import (
    FALL_STEP_CM,
    LEAST_VARIANCE_CM2,
    TABLE_STEP,
    ModelTables,
    background_falls,
    model_tables,
    water_variance_cm2,
)
from ert.dose.remembered import Remembered
from ert.geometry.opening import largest_circle, signed_distance_cm

Float = NDArray[np.float64]
_DEPTHS = 24
_WELL_INSIDE_CM, _WELL_INSIDE_FRAC = 1.0, 0.7
_given: Remembered[tuple[float, float]] = Remembered(16)
_MAPS = np.array([2, 2, 0, 1, 2, 3])


@attrs.frozen(kw_only=True)
class _Line:
    """A line of the fan in flat water: all that its dose is made of but the opening.

    Attributes
    ----------
    shares : float64 [2, depth, component, pixel] of `line_shares`.
    dose : g; wide : b; falls : of edge, rim, open photons and blocked fluence at each depth.
    electrons, photons : inverse squares of the virtual and of the nominal source.
    """

    shares: Float
    dose: Float
    wide: Float
    falls: tuple[Float, Float, Float, Float]
    electrons: Float
    photons: Float


_lines: Remembered[_Line] = Remembered(4)


def line_dose_gy_per_mu(
    model: BeamModel,
    fluence: Fluence,
    *,
    ssd_cm: float,
    depths_cm: Float,
    sad_cm: float,
    insert_distance_cm: float,
    at_cm: tuple[float, float] = (0.0, 0.0),
) -> Float:
    """Dose to water, Gy/MU, without the output correction, along one fan line of a flat water phantom.

    The sum of all components over every pixel (equations (2)–(9) of docs/physics/pencil_beam.md), without the cut and
    the merging of pencils that `ert.dose.pencil_beam.water_dose` uses: an independent path to the same number.

    Parameters
    ----------
    depths_cm : any order; at_cm : x and y of the line on the isocentre plane, seen from the virtual source.
    """
    where = ssd_cm, sad_cm, insert_distance_cm, at_cm
    if len(depths_cm) > _DEPTHS:  # curves of whole scans would keep megabytes
        line = _make_line(model, fluence, depths_cm, where)
    else:
        rest = (depths_cm.tobytes(), fluence.x_cm.tobytes(), fluence.pitch_cm, where)
        line = _lines.get(model, rest, lambda: _make_line(model, fluence, depths_cm, where))
    found = sum_on_line(fluence.maps, _MAPS, line.shares)
    edge, rim, bremsstrahlung, blocked = line.falls
    core = line.dose * ((1.0 - line.wide) * found[:, 0] + line.wide * found[:, 1])
    around = edge * found[:, 2] + rim * found[:, 3] + blocked * found[:, 5]
    return np.asarray(line.electrons * (core + around) + line.photons * bremsstrahlung * found[:, 4])


def _make_line(
    model: BeamModel, fluence: Fluence, depths_cm: Float, where: tuple[float, float, float, tuple[float, float]]
) -> _Line:
    """Of the fluence nothing enters but its lattice. where : SSD, source to isocentre and to insert, `at_cm`."""
    ssd_cm, sad_cm, insert_cm, at_cm = where
    tables, virtual_cm = model_tables(model, ssd_cm), model.source.virtual_sad_cm
    distance = ssd_cm + depths_cm
    virtual = distance - sad_cm + virtual_cm
    widths = _widths_cm(model, tables, depths_cm, distance - insert_cm)
    on_fan = widths * (virtual_cm / virtual)[:, None]
    u = depths_cm / model.practical_range_cm
    falls = background_falls(model)
    steps = np.arange(falls.shape[1]) * FALL_STEP_CM
    edge, rim, bremsstrahlung, blocked = (np.interp(depths_cm, steps, f) for f in falls)
    return _Line(
        shares=read_only(line_shares(fluence.x_cm, fluence.pitch_cm, at_cm[0], at_cm[1], on_fan)),
        dose=np.interp(depths_cm, np.arange(len(tables.dose)) * tables.dose_step_cm, tables.dose),
        wide=np.interp(u, np.arange(len(tables.wide)) * TABLE_STEP, tables.wide),
        falls=(edge, rim, bremsstrahlung, blocked),
        electrons=(virtual_cm / virtual) ** 2,
        photons=(sad_cm / distance) ** 2,
    )


def _widths_cm(model: BeamModel, tables: ModelTables, depths_cm: Float, gap: Float) -> Float:
    """Standard deviations of core, wide, edge, rim, open photons and blocked fluence at each depth: [depth, 6].

    gap : from the insert to each depth, cm.
    """
    source, photons = model.source, model.photons
    tissue = water_variance_cm2(model, tables, depths_cm)
    in_air = tables.air_rad2_per_cm / 6.0 * (gap**3 - depths_cm**3)
    air = (source.core_angle_rad * gap) ** 2 + in_air + LEAST_VARIANCE_CM2
    ratio = np.interp(depths_cm / model.practical_range_cm, np.arange(len(tables.ratio)) * TABLE_STEP, tables.ratio)
    wide = air + ratio**2 * tissue + (source.wide_angle_rad * gap) ** 2
    angles = source.edge_angle_rad, source.rim_angle_rad, photons.open_angle_rad, photons.blocked_angle_rad
    around = (np.maximum(angle * gap, 0.01) for angle in angles)
    return np.stack([np.sqrt(air + tissue), np.sqrt(wide), *around], axis=1)


def axis_depth_dose_gy_per_mu(model: BeamModel, geometry: BeamGeometry, *, ssd_cm: float, depths_cm: Float) -> Float:
    """Absolute dose to water, Gy/MU, on the beam axis in flat water at these depths, cm.

    Where the axis is not well inside the opening, the fan line through `given_point_cm` is taken instead.
    """
    sad_cm, insert_cm = geometry.frame.sad_cm, geometry.insert_distance_cm
    fluence = build_fluence(
        model, geometry.outline_cm, geometry.applicator, sad_cm=sad_cm, insert_distance_cm=insert_cm
    )
    x_cm, y_cm = given_point_cm(geometry.outline_cm)
    scale = outline_scale(model.source.virtual_sad_cm, sad_cm, insert_cm)
    dose = line_dose_gy_per_mu(
        model,
        fluence,
        ssd_cm=ssd_cm,
        depths_cm=depths_cm,
        sad_cm=sad_cm,
        insert_distance_cm=insert_cm,
        at_cm=(x_cm * scale, y_cm * scale),
    )
    return output_correction(model, geometry.outline_cm, geometry.applicator, ssd_cm) * dose


def given_point_cm(outline_cm: Outline) -> tuple[float, float]:
    """Where the given dose of an opening is stated, on the isocentre plane: the axis, or the middle of the opening.

    Close to an edge dose on the axis says nothing of the field (it is half at the edge itself). The axis counts if it
    lies 1 cm inside or, in narrow openings, at 0.7 of the largest circle's radius; else the centre of that circle does.
    """
    centre, radius_cm = largest_circle(outline_cm)
    inside_cm = float(signed_distance_cm(outline_cm, (0.0, 0.0))[0])
    if inside_cm >= min(_WELL_INSIDE_CM, _WELL_INSIDE_FRAC * radius_cm):
        return 0.0, 0.0
    return centre


def maximum_of(depths_cm: Float, dose: Float) -> tuple[float, float]:
    """Depth and value of the maximum of a curve, by the parabola through the highest point and its neighbours."""
    i = int(np.argmax(dose))
    if i in (0, len(dose) - 1):
        return float(depths_cm[i]), float(dose[i])
    before, after = depths_cm[i - 1] - depths_cm[i], depths_cm[i + 1] - depths_cm[i]
    fall, rise = (dose[i - 1] - dose[i]) / before, (dose[i + 1] - dose[i]) / after
    c2 = (rise - fall) / (after - before)
    c1 = fall - c2 * before
    if c2 >= 0:
        return float(depths_cm[i]), float(dose[i])
    shift = -c1 / (2 * c2)
    return float(depths_cm[i] + shift), float(dose[i] + c1 * shift / 2)


def given_dose_gy_per_mu(model: BeamModel, geometry: BeamGeometry, ssd_cm: float) -> float:
    """Dose at the depth of maximum of this field in water at this SSD, Gy/MU (AAPM TG-71 'given dose')."""
    return given_dose_and_depth(model, geometry, ssd_cm)[0]


def given_dose_and_depth(model: BeamModel, geometry: BeamGeometry, ssd_cm: float) -> tuple[float, float]:
    """Given dose, Gy/MU, and its depth, cm: nothing of the patient but the SSD enters."""
    return _given.get(
        model,
        (geometry.outline_cm, geometry.applicator, geometry.frame.sad_cm, geometry.insert_distance_cm, ssd_cm),
        lambda: _given_dose_and_depth(model, geometry, ssd_cm),
    )


def _given_dose_and_depth(model: BeamModel, geometry: BeamGeometry, ssd_cm: float) -> tuple[float, float]:
    depths = np.linspace(0.05, 0.85 * model.practical_range_cm, _DEPTHS)
    depth, dose = maximum_of(depths, axis_depth_dose_gy_per_mu(model, geometry, ssd_cm=ssd_cm, depths_cm=depths))
    return dose, depth
