"""The redefinition engine's part of a beam model: fit, then output correction from its own doses in water."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.commissioning.correction import absolute_fields, fit_correction, measured_ratio
from ert.commissioning.distance import FRACTIONS, distance_ratios, distance_slopes_per_cm
from ert.commissioning.measured import BeamData, Curve, EnergyData
from ert.commissioning.measured import Field as MeasuredField
from ert.commissioning.model import field_fluence, middle_line, plateau_ratios
from ert.commissioning.redefinition_fit import fit_redefinition
from ert.commissioning.redefinition_off_axis import off_axis_change, open_profiles, shoulders
from ert.domain.beam_model import BeamModel, RedefinitionModel
from ert.domain.identity import digest_of
from ert.dose.fluence import PENCIL_PITCH_CM
from ert.dose.output import rectangle_cm
from ert.dose.redefinition_fan import fan_dose, make_field, redefinition_of, water_rays

Float = NDArray[np.float64]
_CGY = 0.01
_DEPTH_FRAC, _TAIL_CM = 1.3, 11.0
DEPTH_KNOTS = np.linspace(0.0, 1.1, 23)
_DEPTH_STEP_CM, _DEPTH_SIGMA, _DEPTH_SPREAD = 0.05, 0.003, 0.02


class RedefinedWater:
    """Dose of one measured field in flat water, without the output correction, cGy/MU."""

    def __init__(self, data: BeamData, model: BeamModel, field: MeasuredField) -> None:
        made = make_field(
            model,
            rectangle_cm(field.width_cm, field.height_cm),
            data.machine.applicator(field.applicator_id),
            sad_cm=data.machine.sad_cm,
            insert_distance_cm=data.machine.insert_distance_cm,
            pitch_cm=PENCIL_PITCH_CM,
        )
        rays, material = water_rays(made, ssd_cm=field.ssd_cm, depth_cm=model.practical_range_cm + _TAIL_CM)
        self._depths = rays.nodes_cm - field.ssd_cm
        self._dose = fan_dose(made, rays, material, ssd_cm=field.ssd_cm) / np.float32(_CGY)

    def planes_cgy(self, depths_cm: Float) -> NDArray[np.float32]:
        """Planes at these depths, linear between those computed: float32 [depth, y, x]."""
        at = np.interp(depths_cm, self._depths, np.arange(len(self._depths)))
        low = np.minimum(at.astype(np.int64), len(self._depths) - 2)
        part = (at - low).astype(np.float32)[:, None, None]
        return np.asarray(self._dose[low] + part * (self._dose[low + 1] - self._dose[low]))

    def profile_cgy(self, data: BeamData, model: BeamModel, field: MeasuredField, curve: Curve) -> Float:
        """Profile at the points of a measured one."""
        plane = self.planes_cgy(np.array([curve.depth_cm]))[0].astype(np.float64)
        return middle_line(data, model, field_fluence(data, model, field), curve, plane)

    def axis_cgy(self, depths_cm: Float) -> Float:
        """Depth dose on the axis."""
        half = self._dose.shape[1] // 2
        axis = self._dose[:, half - 1 : half + 1, half - 1 : half + 1].mean(axis=(1, 2), dtype=np.float64)
        return np.asarray(np.interp(depths_cm, self._depths, axis))


class RedefinedWaters:
    """Doses of measured fields in flat water, of which the fit's end and the comparison ask for the same.

    A dose is found again only for the same field and the same model but for what no such dose depends on.
    """

    def __init__(self, data: BeamData) -> None:
        self._data = data
        self._kept: dict[tuple[str, MeasuredField], RedefinedWater] = {}

    def of(self, model: BeamModel, field: MeasuredField) -> RedefinedWater:
        """The dose of one field, computed if it is not kept."""
        key = (_dose_digest(model), field)
        if key not in self._kept:
            self._kept[key] = RedefinedWater(self._data, model, field)
        return self._kept[key]


def _dose_digest(model: BeamModel) -> str:
    """Of all that a dose in water without the output correction may depend on."""
    of_engine = _fields_but(redefinition_of(model), "output", "parameters")
    rest = _fields_but(model, "output", "parameters", "validity", "monte_carlo", "redefinition")
    return digest_of([rest, of_engine])


def _fields_but(value: BeamModel | RedefinitionModel, *names: str) -> dict[str, object]:
    return {f.name: getattr(value, f.name) for f in attrs.fields(type(value)) if f.name not in names}


def build_redefinition(
    data: BeamData,
    energy: EnergyData,
    model: BeamModel,
    *,
    waters: RedefinedWaters | None = None,
    check: Callable[[], None] | None = None,
) -> RedefinitionModel:
    """Fit the redefinition engine of one energy beside its pencil beam (`model`).

    Parameters
    ----------
    waters : keeps the doses of the finished model.
    """
    fitted = fit_redefinition(data, energy, model, check=check)
    return finish_redefinition(data, energy, model, fitted, waters=waters, check=check)


def finish_redefinition(
    data: BeamData,
    energy: EnergyData,
    model: BeamModel,
    fitted: RedefinitionModel,
    *,
    waters: RedefinedWaters | None = None,
    check: Callable[[], None] | None = None,
) -> RedefinitionModel:
    """What follows from a fit without another: off-axis ratio, factors over depth, slopes with SSD, output."""
    model = attrs.evolve(model, redefinition=fitted)
    model = attrs.evolve(model, redefinition=_with_shoulders(data, energy, model))
    model = attrs.evolve(model, redefinition=with_depth(data, model, redefinition_of(model)))
    model = attrs.evolve(model, redefinition=_with_distance(data, energy, model))
    depths = np.linspace(0.0, _DEPTH_FRAC * model.practical_range_cm, 60)
    waters, ratios = waters or RedefinedWaters(data), []
    for field in absolute_fields(data, energy):
        if check is not None:
            check()
        water = waters.of(model, field)
        plateaus = plateau_ratios(energy, field, model, partial(water.profile_cgy, data, model, field))
        ratio = measured_ratio(energy, field, depths, water.axis_cgy(depths), plateaus)
        if ratio is not None:
            ratios.append(ratio)
    return attrs.evolve(redefinition_of(model), output=fit_correction(data, ratios))


def with_depth(data: BeamData, model: BeamModel, fitted: RedefinitionModel) -> RedefinitionModel:
    """Factors over depth that give the smoothed reference depth dose back (equation (15)).

    Least squares for straight lines between `DEPTH_KNOTS`, 0.3 % of the maximum against a prior of 2 % around 1.
    """
    flat = attrs.evolve(fitted, depth_frac=(), depth_factor=(), distance_slope_per_cm=())
    none = attrs.evolve(flat, scale_gy_per_mu=0.0)
    depths = np.arange(0.0, DEPTH_KNOTS[-1] * model.practical_range_cm, _DEPTH_STEP_CM)
    total, rest = (
        RedefinedWater(data, attrs.evolve(model, redefinition=r), data.reference).axis_cgy(depths) for r in (flat, none)
    )
    wanted = np.interp(depths, model.reference_depth_cm, model.reference_dose_gy_per_mu) / _CGY
    hats = [np.interp(depths / model.practical_range_cm, DEPTH_KNOTS, row) for row in np.eye(len(DEPTH_KNOTS))]
    matrix = (np.array(hats) * (total - rest)).T / (_DEPTH_SIGMA * wanted.max())
    missing = (wanted - total) / (_DEPTH_SIGMA * wanted.max())
    gram = matrix.T @ matrix + np.eye(len(DEPTH_KNOTS)) / _DEPTH_SPREAD**2
    return attrs.evolve(
        flat,
        depth_frac=tuple(DEPTH_KNOTS.tolist()),
        depth_factor=tuple((1.0 + np.linalg.solve(gram, matrix.T @ missing)).tolist()),
        distance_slope_per_cm=(0.0,) * len(DEPTH_KNOTS),
    )


def _with_shoulders(data: BeamData, energy: EnergyData, model: BeamModel) -> RedefinitionModel:
    """The off-axis ratio that this engine needs: the source's was fitted with the pencil beam's lateral spread."""
    profiles = open_profiles(data, energy, model.summary.r90_cm)
    found = shoulders(profiles, model, data.machine.sad_cm, _computed(data, model))
    return attrs.evolve(redefinition_of(model), off_axis_change=off_axis_change(found))


def _computed(data: BeamData, model: BeamModel) -> Callable[[Curve], Float]:
    """Dose of the model at the points of a curve, cGy/MU; each field is computed once."""
    waters: dict[MeasuredField, RedefinedWater] = {}

    def computed(curve: Curve) -> Float:
        if curve.field not in waters:
            waters[curve.field] = RedefinedWater(data, model, curve.field)
        water = waters[curve.field]
        if curve.kind == "depth_dose":
            return water.axis_cgy(curve.position_cm)
        return water.profile_cgy(data, model, curve.field, curve)

    return computed


def _with_distance(data: BeamData, energy: EnergyData, model: BeamModel) -> RedefinitionModel:
    """How the electrons' depth dose changes with SSD beyond the engine (equation (16)), where it was measured."""
    ratios = distance_ratios(data, energy, range_cm=model.practical_range_cm, computed=_computed(data, model))
    slopes = np.interp(DEPTH_KNOTS, FRACTIONS, distance_slopes_per_cm(ratios))
    return attrs.evolve(redefinition_of(model), distance_slope_per_cm=tuple(slopes.tolist()))
