"""Dose of the redefinition engine on the fan of a beam, in a patient or in flat water."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.beam_model import BeamModel, RedefinitionModel
from ert.domain.device import Outline
from ert.domain.machine import Applicator
from ert.dose.fluence import Fluence, build_fluence
from ert.dose.kernels.redefine_plane import add_step, between_knots
from ert.dose.kernels.redefine_spectrum import middle_spectrum
from ert.dose.pencil_beam import Rays, add_smooth_dose
from ert.dose.physics import collision_stopping_power_water
from ert.dose.redefinition import (
    CUT_MEV,
    RANGE_STEP_G_CM2,
    Carrying,
    Electrons,
    Step,
    air_steps,
    make_physics,
    range_grid_mev,
    top_energy_mev,
)
from ert.dose.redefinition_start import Opening, opening, start_state
from ert.errors import OutsideModel

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
_OPEN = 0.999
"""Part of a step from which it counts as free of metal; beside metal the traced depth holds, as for photons."""


def redefinition_of(model: BeamModel) -> RedefinitionModel:
    """The model's part for this engine.

    Raises
    ------
    OutsideModel
        The model was commissioned for the pencil beam only.
    """
    if model.redefinition is None:
        raise OutsideModel(
            f"The beam model '{model.label}' was not commissioned for pencil beam redefinition (PBRA).",
            hint="Commission the machine again with this version, or choose the pencil beam.",
        )
    return model.redefinition


@attrs.frozen(kw_only=True, eq=False)
class Field:
    """A cutout of one beam model on its lattice.

    Attributes
    ----------
    sad_cm, insert_cm : isocentre and downstream face of the insert, from the nominal source.
    moments : `opening` of this cutout, where it is at hand.
    """

    model: BeamModel
    outline_cm: Outline
    applicator: Applicator
    fluence: Fluence
    sad_cm: float
    insert_cm: float
    moments: Opening | None = None

    @property
    def shift_cm(self) -> float:
        """Nominal to virtual source."""
        return self.sad_cm - self.model.source.virtual_sad_cm

    def scale(self, distance_cm: float) -> float:
        """Inverse square factor at a distance from the nominal source, 1 at the isocentre."""
        return (self.model.source.virtual_sad_cm / (distance_cm - self.shift_cm)) ** 2

    def opening(self) -> Opening:
        """Moments of the fluence within each pixel, with the off-axis ratio of this engine."""
        return opening(
            _with_own_shoulders(self.model), self.outline_cm, self.applicator, self.fluence, sad_cm=self.sad_cm,
            insert_distance_cm=self.insert_cm,
        )  # fmt: skip

    def electrons_at(self, distance_cm: float, *, carrying: Carrying = Carrying.WHOLE) -> Electrons:
        """Electrons that left the insert and went through air to a distance from the nominal source.

        Parameters
        ----------
        carrying : of `Electrons`.
        """
        redefinition = redefinition_of(self.model)
        physics = make_physics(redefinition)
        moments = self.opening() if self.moments is None else self.moments
        electrons = Electrons(
            start_state(redefinition, physics, moments), physics, pitch_cm=self.fluence.pitch_cm,
            virtual_cm=self.model.source.virtual_sad_cm, carrying=carrying,
        )  # fmt: skip
        near = self.insert_cm - self.shift_cm
        for step in air_steps(near, distance_cm - self.shift_cm, electrons.plane.shape):
            electrons.advance(step)
        return electrons


def _with_own_shoulders(model: BeamModel) -> BeamModel:
    """The model with the off-axis ratio of this engine."""
    c2, c4 = model.source.off_axis
    changed = c2 + redefinition_of(model).off_axis_change
    return attrs.evolve(model, source=attrs.evolve(model.source, off_axis=(changed, c4)))


def make_field(
    model: BeamModel,
    outline_cm: Outline,
    applicator: Applicator,
    *,
    sad_cm: float,
    insert_distance_cm: float,
    pitch_cm: float,
) -> Field:
    """A cutout on a lattice of that pitch."""
    fluence = build_fluence(
        model, outline_cm, applicator, sad_cm=sad_cm, insert_distance_cm=insert_distance_cm, pitch_cm=pitch_cm
    )
    return Field(
        model=model, outline_cm=outline_cm, applicator=applicator, fluence=fluence, sad_cm=sad_cm,
        insert_cm=insert_distance_cm,
    )  # fmt: skip


Material = Callable[[int, NDArray[np.int64]], Float32]
"""Number of a step and the rows and columns wanted to what the step meets, [3, y, x] of `Step.material`."""


def depth_factor(field: Field, depth_cm: Float, ssd_cm: float) -> Float:
    """Factor on the electrons' dose at a water-equivalent depth: build-up and equations (15), (16)."""
    model, redefinition = field.model, redefinition_of(field.model)
    built = 1.0 - redefinition.buildup_frac * np.exp(depth_cm / -redefinition.buildup_cm)
    if not redefinition.depth_frac:
        return np.asarray(built)
    beyond_cm = ssd_cm - model.reference_ssd_cm
    knots = np.array(redefinition.depth_factor) * np.exp(beyond_cm * np.array(redefinition.distance_slope_per_cm))
    return np.asarray(
        built * between_knots(depth_cm / model.practical_range_cm, np.array(redefinition.depth_frac), knots)
    )


def fan_dose(
    field: Field,
    rays: Rays,
    material: Material,
    *,
    ssd_cm: float,
    correction: float = 1.0,
    check: Callable[[float], None] | None = None,
    out: Float32 | None = None,
) -> Float32:
    """Dose to water, Gy/MU, on every node of the fan.

    The electrons' water-equivalent depth is summed up from what their own steps meet, which is exact; that of `rays`,
    one sample a step, serves the smooth background and pixels that no electron has reached yet.

    Parameters
    ----------
    rays : planes (evenly spaced), water-equivalent depth on them, first plane needed.
    material : what the step after each plane meets.
    ssd_cm : nominal source to the surface on the axis.
    correction : of the output (`output_correction`); 1 for the dose without it.
    check : called between planes with the part done; may raise `Cancelled`.
    out : filled, if given: float32 of the shape of the rays.

    Returns
    -------
    float32 [node, y, x]
    """
    dose = np.empty(rays.depth_cm.shape, dtype=np.float32) if out is None else out
    end = _put_electrons(field, rays, material, dose, ssd_cm=ssd_cm, check=check)
    dose[: rays.first] = 0.0
    add_smooth_dose(
        field.model, field.fluence, rays, dose, sad_cm=field.sad_cm, insert_distance_cm=field.insert_cm, has_edge=False,
        correction=correction, is_empty=np.arange(len(dose)) >= end,
    )  # fmt: skip
    return dose


def _put_electrons(
    field: Field,
    rays: Rays,
    material: Material,
    dose: Float32,
    *,
    ssd_cm: float,
    check: Callable[[float], None] | None,
) -> int:
    """Set the dose of planes from the first that is needed to the last with electrons; returns one past the last.

    The planes behind are not touched while the electrons are held: both would be in memory at once.
    """
    nodes, end = rays.nodes_cm, min(len(rays.depth_cm), len(rays.nodes_cm) - 1)
    electrons = field.electrons_at(float(nodes[rays.first]))
    depth = rays.depth_cm[rays.first].astype(np.float64)
    step_cm = (nodes[1] - nodes[0]) * _slant(field)
    for n in range(rays.first, end):
        if electrons.is_spent:
            return n
        if check is not None:
            check((n - rays.first) / (end - rays.first))
        step = Step(
            near_cm=float(nodes[n]) - field.shift_cm,
            far_cm=float(nodes[n + 1]) - field.shift_cm,
            material=material(n, electrons.reach),
        )
        reach = electrons.reach.copy()
        j0, j1, i0, i1 = reach
        here = depth[j0:j1, i0:i1]
        electrons.advance(step)
        factor = depth_factor(field, here, ssd_cm) * field.scale(float(nodes[n]))
        dose[n] = 0.0
        dose[n, j0:j1, i0:i1] = electrons.plane[j0:j1, i0:i1] * factor
        if n + 1 < len(rays.depth_cm):
            add_step(depth, rays.depth_cm[n], rays.depth_cm[n + 1], step.material, step_cm, reach, _OPEN)
    return end


def _slant(field: Field) -> Float:
    """Path along the rays of the fan per distance of planes, [y, x]."""
    x2, y2 = field.fluence.x_cm[None, :] ** 2, field.fluence.y_cm[:, None] ** 2
    return np.asarray(np.sqrt(1.0 + (x2 + y2) / field.model.source.virtual_sad_cm**2))


def water_rays(field: Field, *, ssd_cm: float, depth_cm: float) -> tuple[Rays, Material]:
    """Rays and material of flat water on planes from its surface to a depth, in steps of the model."""
    step = redefinition_of(field.model).step_cm
    depths: Float = step * np.arange(math.ceil(depth_cm / step) + 2, dtype=np.float64)
    path = _slant(field)
    rays = Rays(
        nodes_cm=np.asarray(ssd_cm + depths, dtype=np.float64),
        depth_cm=np.ascontiguousarray(depths[:, None, None] * path[None], dtype=np.float32),
        variance_cm2=np.empty((0, 0, 0), dtype=np.float32),
        entry_cm=np.full(path.shape, ssd_cm, dtype=np.float32),
    )
    water = np.ones((3, *path.shape), dtype=np.float32)
    return rays, lambda _number, _reach: water


def middle_spectra(field: Field, *, ssd_cm: float, depth_cm: float, node_mev: Float, carrying: Carrying) -> Float:
    """Electron dose of the middle of the field in flat water by energy, for unit scale and factors: [plane, node, x].

    Planes as in `water_rays`; the mean of the two middle rows; hat functions on `node_mev`. Build-up is left out.

    Parameters
    ----------
    carrying : how the electrons move; a quarter of the field makes the same sums in another order.
    """
    rays, material = water_rays(field, ssd_cm=ssd_cm, depth_cm=depth_cm)
    energy = range_grid_mev(top_energy_mev(redefinition_of(field.model)))
    stopping = collision_stopping_power_water(np.maximum(energy, CUT_MEV))
    at_node = np.interp(energy, node_mev, np.arange(len(node_mev)))
    found = np.zeros((len(rays.nodes_cm), len(node_mev), len(field.fluence.x_cm)))
    electrons = field.electrons_at(ssd_cm, carrying=carrying)
    for n, (near, far) in enumerate(zip(rays.nodes_cm, rays.nodes_cm[1:], strict=False)):
        if electrons.is_spent:
            break
        middle_spectrum(electrons.sums, electrons.boxes, stopping, 1.0 / RANGE_STEP_G_CM2, at_node, found[n])
        found[n] *= field.scale(float(near))
        electrons.advance(
            Step(
                near_cm=float(near) - field.shift_cm,
                far_cm=float(far) - field.shift_cm,
                material=material(n, electrons.reach),
            )
        )
    if carrying is Carrying.QUARTER:
        found = 2.0 * (found + found[:, :, ::-1])
    return found
