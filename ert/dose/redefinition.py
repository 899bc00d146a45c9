"""Pencil beam redefinition: electrons carried from plane to plane of the fan.

Equations and their sources: docs/physics/redefinition.md. `ert.dose.engine` ties it to patient, beam and dose grid;
commissioning runs it in water.
"""

from __future__ import annotations

import enum
import math

import attrs
import numba
import numpy as np
from numpy.typing import NDArray

from ert.domain.beam_model import RedefinitionModel
from ert.domain.identity import read_only
from ert.dose.kernels import redefine as kernel
from ert.dose.kernels.lanes import PITCH, SUMS
from ert.dose.kernels.rebin import WORK
from ert.dose.kernels.redefine_plane import advance_plane, advance_plane_alone, find_reach
from ert.dose.physics import (
    AIR_RELATIVE_SCATTERING,
    collision_range_water,
    collision_stopping_power_water,
    energy_at_collision_range_water,
    scattering_power_water,
)

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integer = NDArray[np.int64]

CORE_BINS_PER_RANGE, WIDE_BINS_PER_RANGE = 16, 8
CUT_MEV = 0.3
_LEAST_MEV = 0.1
RANGE_STEP_G_CM2 = 0.005
LEAST_CORE, LEAST_WIDE = 1e-6, 1e-5
_LONGEST_AIR_STEP_CM = 20.0
_TOP_SIGMAS = 4.0
_AIR_STOPPING = 0.0011
ISOTROPIC_RAD2 = 1.0 / 3.0
"""Mean square direction cosine when every direction is as likely."""


@attrs.frozen(kw_only=True, eq=False)
class Physics:
    """Tables and constants of one energy as the kernels read them.

    Attributes
    ----------
    tables : [2, m]: scattering power and dose per electron against residual range in steps of `RANGE_STEP_G_CM2`.
    populations : [2, 3] first slot, slots, bin width in g/cm² of the core and the wide population.
    straggling_g_cm2, detour_factor : range variance per path, of collisions; factor on that of detours (equation (7)).
    soft_frac, hard_per_rad2, hard_rad2 : what stays Gaussian of the scattering; wide-angle scatters per unit of
        scattering (T ds); projected mean square of one.
    saturation_per_rad2 : 1 / projected mean square slope at which scattering no longer widens the core in water.
    isotropy_per_rad2 : the same for the wide population, and the least for the core, in every medium.
    obliquity_factor : 1: paths are longer than planes are apart; 0: the small-angle theory.
    """

    tables: Float = attrs.field(converter=read_only, repr=False)
    populations: Float = attrs.field(converter=read_only, repr=False)
    straggling_g_cm2: float
    detour_factor: float
    soft_frac: float
    hard_per_rad2: float
    hard_rad2: float
    saturation_per_rad2: float
    isotropy_per_rad2: float = 1.0 / ISOTROPIC_RAD2
    obliquity_factor: float = 1.0

    @property
    def slots(self) -> int:
        """Range bins of both populations."""
        return int(self.populations[:, 1].sum())


def range_grid_mev(top_mev: float) -> Float:
    """Energies of electrons with residual range 0, 1, 2 … × `RANGE_STEP_G_CM2` left, up to that energy."""
    top = float(collision_range_water(top_mev))
    ranges = np.arange(0.0, top + 2 * RANGE_STEP_G_CM2, RANGE_STEP_G_CM2)
    least = float(collision_range_water(_LEAST_MEV))
    return np.where(
        ranges > least, energy_at_collision_range_water(np.maximum(ranges, least)), _LEAST_MEV * ranges / least
    )


def top_energy_mev(model: RedefinitionModel) -> float:
    """The highest energy that is followed."""
    return model.peak_energy_mev * (1.0 + _TOP_SIGMAS * model.spread_above_frac) + 0.5


def make_physics(model: RedefinitionModel) -> Physics:
    """Tables of a model."""
    top = top_energy_mev(model)
    energy = range_grid_mev(top)
    held = np.maximum(energy, CUT_MEV)
    factor = np.interp(energy, model.node_mev, model.node_factor)
    reach = float(collision_range_water(model.peak_energy_mev))
    width = reach / CORE_BINS_PER_RANGE, reach / WIDE_BINS_PER_RANGE
    bins = [math.ceil(float(collision_range_water(top)) / w) for w in width]
    square = model.hard_angle_rad**2
    return Physics(
        tables=np.stack([
            model.scatter_factor * scattering_power_water(held),
            model.scale_gy_per_mu * factor * collision_stopping_power_water(held),
        ]),
        populations=np.array([[0.0, bins[0], width[0]], [bins[0], bins[1], width[1]]]),
        straggling_g_cm2=model.straggling_g_cm2,
        detour_factor=model.detour_factor,
        soft_frac=1.0 - model.hard_frac,
        hard_per_rad2=0.5 * model.hard_frac / square,
        hard_rad2=square,
        saturation_per_rad2=1.0 / model.saturation_rad2,
    )  # fmt: skip


class Carrying(enum.Enum):
    """How electrons move from plane to plane.

    WHOLE : on all of numba's threads. ALONE : on the thread that asks and no other, so that several fields may move at
    the same time; the same bytes. QUARTER : alone, and of a field and a medium that are alike on both sides of both
    axes only the electrons before the middles (the first half of rows and columns); the others are their images. The
    same sums but for the order in which they are added; `plane`, `state`, and `lost` are of that quarter.
    """

    WHOLE = enum.auto()
    ALONE = enum.auto()
    QUARTER = enum.auto()


@attrs.frozen(kw_only=True, eq=False)
class Step:
    """From one plane to the next; distances from the virtual source.

    `material` is float32 [3, y, x] of `ert.dose.kernels.redefine.advance`, set where electrons are.
    """

    near_cm: float
    far_cm: float
    material: Float32


class Electrons:
    """The phase space of one plane; moves itself to the next. Not shared between threads.

    Parameters
    ----------
    state : float64 [slot, y, x, 13], see `ert.dose.kernels.redefine`; taken over where its memory is [slot, y, 13, x].
    pitch_cm, virtual_cm : pixel side on the isocentre plane, virtual source to isocentre.
    carrying : how they move; `WHOLE` if nothing is said.

    Raises
    ------
    ValueError
        A quarter of a lattice that is no square, or has a pixel in its middle.
    """

    def __init__(
        self, state: Float, physics: Physics, *, pitch_cm: float, virtual_cm: float, carrying: Carrying = Carrying.WHOLE
    ) -> None:
        self.sums = np.ascontiguousarray(state.transpose(0, 1, 3, 2))
        self._physics = physics
        self._pitch_cm, self._virtual_cm = pitch_cm, virtual_cm
        slots, ny, _, nx = self.sums.shape
        if carrying is Carrying.QUARTER and (ny != nx or nx % 2):
            raise ValueError(f"a lattice of {ny} × {nx} pixels has no quarter whose images are the others")
        self._boxes = np.zeros((slots, 4), dtype=np.int64)
        for k in range(slots):
            rows, columns = np.nonzero(self.sums[k, :, 0] > 0.0)
            if carrying is Carrying.QUARTER:
                is_before = (rows < ny // 2) & (columns < nx // 2)
                rows, columns = rows[is_before], columns[is_before]
            if len(rows):
                self._boxes[k] = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
        self._reach = np.zeros(4, dtype=np.int64)
        find_reach(self._boxes, self._reach)
        core = int(physics.populations[0, 1])
        top = float(self.sums[:, :, 0].max(initial=0.0))
        self._least = top * np.where(np.arange(slots) < core, LEAST_CORE, LEAST_WIDE)
        self._row_lost, self._slot_lost = np.zeros(ny), np.zeros(slots)
        self._span = np.zeros((slots, ny, 2), dtype=np.int64)
        self._carrying = carrying
        threads = numba.get_num_threads() if carrying is Carrying.WHOLE else 1
        self._scratch = np.zeros((threads, kernel.scratch_size(slots, nx)))
        self._work, self._tiles = np.empty((threads, WORK)), np.empty((threads, ny * SUMS * int(PITCH)))
        self.plane = np.zeros((ny, nx))

    @property
    def state(self) -> Float:
        """float64 [slot, y, x, 13]: sums of each slot, pixel and kind, set within `boxes`; a view of `sums`."""
        return self.sums.transpose(0, 1, 3, 2)

    @property
    def boxes(self) -> Integer:
        """First and one past the last row and column with electrons, of each slot."""
        return self._boxes

    @property
    def reach(self) -> Integer:
        """First and one past the last row and column with electrons in any slot; zeros if there are none."""
        return self._reach

    @property
    def is_spent(self) -> bool:
        """True if no electron is left."""
        return bool(self._reach[1] == 0)

    @property
    def lost(self) -> float:
        """Electrons that came to rest, met metal, left the lattice or were too few to follow."""
        return float(self._row_lost.sum() + self._slot_lost.sum())

    def advance(self, step: Step) -> None:
        """Leave the dose of this plane in `plane` and go to the next."""
        self.plane[:] = 0.0
        if self.is_spent:
            return
        physics = self._physics
        values = (
            self.sums, self._boxes, self._span, self._reach, physics.populations, self.plane, step.material,
            physics.tables, self._constants(step), self._least, self._row_lost, self._slot_lost, self._scratch,
            self._work, self._tiles,
        )  # fmt: skip
        if self._carrying is Carrying.WHOLE:
            advance_plane(*values)
        else:
            advance_plane_alone(*values, self._carrying is Carrying.QUARTER)

    def _constants(self, step: Step) -> Float:
        physics, dz = self._physics, step.far_cm - step.near_cm
        c = np.zeros(kernel.CONSTANTS)
        c[kernel.PLANE_STEP] = dz
        c[kernel.PIXELS_PER_SLOPE] = dz * self._virtual_cm / (self._pitch_cm * step.far_cm)
        c[kernel.SHRINK] = step.near_cm / step.far_cm
        c[kernel.HALF_COUNT] = self.plane.shape[0] / 2
        c[kernel.FAN_SLOPE] = self._pitch_cm / self._virtual_cm
        c[kernel.STRAGGLING], c[kernel.DETOUR] = physics.straggling_g_cm2, 4.0 / 3.0 * physics.detour_factor
        c[kernel.SATURATION] = physics.saturation_per_rad2
        c[kernel.ISOTROPY] = physics.isotropy_per_rad2
        c[kernel.RANGE_STEP] = RANGE_STEP_G_CM2
        c[kernel.SOFT_FRAC] = physics.soft_frac
        c[kernel.HARD_PER_POWER], c[kernel.HARD_SQUARE] = physics.hard_per_rad2, physics.hard_rad2
        c[kernel.OBLIQUITY] = physics.obliquity_factor
        return c


def air_steps(near_cm: float, far_cm: float, shape: tuple[int, int]) -> list[Step]:
    """Steps of at most 20 cm through air; distances from the virtual source."""
    count = max(1, math.ceil((far_cm - near_cm) / _LONGEST_AIR_STEP_CM))
    edges = np.linspace(near_cm, far_cm, count + 1)
    material = np.ones((3, *shape), dtype=np.float32)
    material[0], material[1] = _AIR_STOPPING, AIR_RELATIVE_SCATTERING
    return [Step(near_cm=float(a), far_cm=float(b), material=material) for a, b in zip(edges, edges[1:], strict=False)]
