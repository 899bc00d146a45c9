"""Electrons as they leave the insert: the open beam and what the insert's edge scatters."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.beam_model import BeamModel, RedefinitionModel
from ert.domain.device import Outline
from ert.domain.machine import Applicator
from ert.dose.fluence import Fluence, make_fluence
from ert.dose.kernels.lanes import SUMS
from ert.dose.physics import collision_range_water
from ert.dose.redefinition import CUT_MEV, Physics, top_energy_mev

Float = NDArray[np.float64]
_FINER = 4
_FINE_STEP_MEV = 1e-3
_LEAST_SHARE = 1e-9


@attrs.frozen(kw_only=True, eq=False)
class Opening:
    """Moments of the fluence within each pixel of a fluence lattice.

    Attributes
    ----------
    beam, edge : [5, y, x]: sum, sums of x, x², y, y² (from the centre, in pixels) of the open fraction × off-axis
        ratio, and of the edge length per area (1/cm).
    """

    beam: Float
    edge: Float


def _moments(fine: NDArray[np.float32], count: int) -> Float:
    """Moments of a map on a lattice `_FINER` times finer, about the centres of the coarse pixels."""
    room = (count * _FINER - fine.shape[0]) // 2
    cells = np.pad(fine.astype(np.float64), room).reshape(count, _FINER, count, _FINER) / _FINER**2
    at = (np.arange(_FINER) + 0.5) / _FINER - 0.5
    inner = 1.0 / (12.0 * _FINER**2)
    along_x, along_y = cells.sum(axis=1), cells.sum(axis=3)
    total = along_x.sum(axis=2)
    return np.stack([
        total, along_x @ at, along_x @ (at**2 + inner),
        np.einsum("jai,a->ji", along_y, at), np.einsum("jai,a->ji", along_y, at**2 + inner),
    ])  # fmt: skip


def opening(
    model: BeamModel,
    outline_cm: Outline,
    applicator: Applicator,
    fluence: Fluence,
    *,
    sad_cm: float,
    insert_distance_cm: float,
) -> Opening:
    """Moments of a cutout on the lattice of its fluence, from a lattice four times finer."""
    fine = make_fluence(model, outline_cm, applicator, (sad_cm, insert_distance_cm), fluence.pitch_cm / _FINER)
    count = len(fluence.x_cm)
    return Opening(beam=_moments(fine.maps[2], count), edge=_moments(fine.maps[0], count))


def core_spectrum(model: RedefinitionModel, physics: Physics) -> Float:
    """Share, mean and mean square range of each core bin, [3, bin]: half a Gaussian above the peak, a wider below."""
    energy = np.arange(CUT_MEV, top_energy_mev(model), _FINE_STEP_MEV)
    away = energy / model.peak_energy_mev - 1.0
    sigma = np.where(away > 0.0, model.spread_above_frac, model.spread_below_frac)
    return _binned(energy, np.exp(-0.5 * (away / sigma) ** 2), physics.populations[0])


def edge_spectrum(model: RedefinitionModel, physics: Physics) -> Float:
    """The same of the wide bins for edge electrons: evenly spread in range, so that their number falls linearly."""
    top = model.edge_range_frac * float(collision_range_water(model.peak_energy_mev))
    energy = np.arange(CUT_MEV, top_energy_mev(model), _FINE_STEP_MEV)
    ranges = collision_range_water(energy)
    return _binned(energy, np.gradient(ranges, energy) * (ranges <= top), physics.populations[1])


def _binned(energy_mev: Float, weight: Float, population: Float) -> Float:
    count, ranges = int(population[1]), collision_range_water(energy_mev)
    bins = np.minimum((ranges / population[2]).astype(np.int64), count - 1)
    rows = [np.bincount(bins, weight * ranges**power, minlength=count) for power in range(3)]
    sums: Float = np.stack(rows).astype(np.float64)
    sums[:, sums[0] < _LEAST_SHARE * sums[0].sum()] = 0.0
    sums /= sums[0].sum()
    return sums


def start_state(model: RedefinitionModel, physics: Physics, field: Opening) -> Float:
    """The phase space at the insert in unit fluence × pixels: [slot, y, x, 13] of `ert.dose.kernels.redefine`."""
    ny, nx = field.beam.shape[1:]
    state = np.zeros((physics.slots, ny, SUMS, nx)).transpose(0, 1, 3, 2)
    core = int(physics.populations[0, 1])
    _fill(state[:core], field.beam, core_spectrum(model, physics), angle_rad=model.core_angle_rad)
    edge = model.edge_per_cm * field.edge
    _fill(state[core:], edge, edge_spectrum(model, physics), angle_rad=model.edge_angle_rad)
    return state


def _fill(state: Float, moments: Float, spectrum: Float, *, angle_rad: float) -> None:
    """Set the slots of a population [slot, y, x, 13] within the box of what is open: the rest is not even touched."""
    square = math.tan(angle_rad) ** 2
    rows, columns = np.nonzero(moments.any(axis=0))
    if len(rows) == 0:
        return
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    moments = moments[:, *box]
    for k in np.flatnonzero(spectrum[0]):
        share, cell = spectrum[0, k], state[k][box]
        for m in range(3):
            cell[..., m] = spectrum[m, k] * moments[0]
        cell[..., 3], cell[..., 4] = share * moments[1], share * moments[2]
        cell[..., 8], cell[..., 9] = share * moments[3], share * moments[4]
        cell[..., 7] = cell[..., 12] = share * square * moments[0]
