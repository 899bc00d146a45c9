"""What the reference field's profiles in water say about the Monte Carlo's source.

The shallowest profile, beyond its penumbra, holds electrons that were spread widely. Profiles in air count them too,
but also electrons of low energy that no dose follows. The edges of the shallowest at the farthest SSD hold the narrow
spread. The deepest profile, below the electrons' range, holds the spread of the contaminant photons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.commissioning.measured import BeamData, Curve, EnergyData
from ert.commissioning.monte_carlo_angles import FINE, NEAR, between, least, of_one_spread
from ert.commissioning.monte_carlo_depth import MANY_PHOTONS
from ert.domain.monte_carlo_model import MonteCarloModel, MonteCarloSettings
from ert.dose.geometry import BeamGeometry
from ert.dose.monte_carlo_batches import BATCHES, BatchRunner
from ert.dose.monte_carlo_scene import build_scene
from ert.dose.monte_carlo_source import scene_numbers
from ert.dose.monte_carlo_tables import MonteCarloTables
from ert.dose.tissue import TissueGrid
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
_SEED = 29
_ELECTRONS, _BESIDE_ELECTRONS, _PHOTONS, _EDGE_ELECTRONS = 480_000, 3_840_000, 1_440_000, 4_800_000
_BIN_CM, _STRIP_CM, _AROUND_CM, _BELOW_CM = 0.25, 4.0, 5.0, 1.0
_PHOTONS_BELOW_CM = 10.0
_CORE_CM = 2.0
_BESIDE_CM = 1.25
_SHARE_STEP = 0.0001
_LEAST_WAY_CM, _EDGE_SIGMAS, _EDGE_ERROR = 10.0, 2.0, 0.005
_EDGE_ROUNDS, _LEAST_EDGE_POINTS = 4, 8
_BELOW_RANGE = 1.05
_DEEP_STRIP_CM, _DEEP_THICKNESS_CM, _LEAST_THICKNESS_CM = 6.0, 2.0, 0.5
_OWN_ERROR = 0.02
_SPREADS_RAD = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1)


def reference_profiles(data: BeamData, energy: EnergyData) -> list[Curve]:
    """Profiles in water of the open reference field, and of its opening at any other SSD."""
    return [
        c
        for c in energy.curves
        if c.kind == "profile" and attrs.evolve(c.field, ssd_cm=data.reference.ssd_cm) == data.reference
    ]


@attrs.frozen(kw_only=True)
class Water:
    """Water below the reference field, in which the dose along one line across the beam is computed."""

    geometry: BeamGeometry
    tables: MonteCarloTables
    ssd_cm: float
    check: Callable[[], None] | None
    strip_cm: float = _STRIP_CM
    below_cm: float = _BELOW_CM

    def across(
        self, source: MonteCarloModel, depth_cm: float, thickness_cm: float, histories: int
    ) -> tuple[Float, Float]:
        """Distances from the axis and the dose there (any unit), both sides and both directions together."""
        rows = max(1, round(depth_cm / thickness_cm - 0.5))
        at_cm, dose = self.rows_across(source, rows, depth_cm / (rows + 0.5), histories)
        return at_cm, dose[rows]

    def rows_across(self, source: MonteCarloModel, row: int, step_cm: float, histories: int) -> tuple[Float, Float]:
        """The same of all rows so thick from the surface down to and with a row: (n,) and [row, n]."""
        opening = max(self.geometry.applicator.opening_x_cm, self.geometry.applicator.opening_y_cm)
        half = math.ceil((0.5 * opening + _AROUND_CM) / _BIN_CM)
        beside = math.ceil(half * _BIN_CM / self.strip_cm)
        surface = self.ssd_cm - self.geometry.frame.sad_cm
        grid = VoxelGrid(
            origin_cm=(-(half - 0.5) * _BIN_CM, surface + 0.5 * step_cm, -beside * self.strip_cm),
            spacing_cm=(_BIN_CM, step_cm, self.strip_cm),
            shape_zyx=(2 * beside + 1, row + 1 + math.ceil(self.below_cm / step_cm), 2 * half),
        )
        water = np.ones(grid.shape_zyx, dtype=np.float32)
        tissue = TissueGrid(grid=grid, relative_stopping=water, relative_scattering=water, density_g_cm3=water)
        scene = build_scene(self.tables, tissue, grid)
        numbers = scene_numbers(source, self.tables, self.geometry, scene)
        # The edges are made by the directions of the start: three histories with one direction would tell less.
        runner = BatchRunner(scene, numbers, MonteCarloSettings(seed=_SEED), sharing=1)
        for _ in runner.run(BATCHES, histories // BATCHES, self.check):
            pass
        lines = runner.sums.run().total.reshape(scene.grid.shape_zyx)[scene.window][beside, : row + 1]
        at = (np.arange(half) + 0.5) * _BIN_CM
        return np.asarray(at, dtype=np.float64), 0.5 * (lines[:, half:] + lines[:, half - 1 :: -1]) / histories


def _mean(at: Float, dose: Float) -> float:
    return float(dose[np.abs(at) < _CORE_CM].mean())


def _misfit(curve: Curve, at_cm: Float, dose: Float, is_used: NDArray[np.bool_]) -> float:
    """χ² of a line's shape against a measured profile, both relative to their means near the axis."""
    ours = np.interp(np.abs(curve.position_cm), at_cm, dose) / _mean(at_cm, dose)
    middle = _mean(curve.position_cm, curve.dose)
    sigma = np.hypot(curve.sigma / middle, _OWN_ERROR * ours)
    return float(np.sum((((curve.dose / middle - ours) / sigma)[is_used]) ** 2))


def with_wide_electrons(source: MonteCarloModel, profiles: Sequence[Curve], water: Water) -> MonteCarloModel:
    """The source with the share of wide electrons that the shallowest profile asks for; their spread stays that in air.

    The few points beyond the edge do not tell a spread: left free, it took dose from cutouts.

    Parameters
    ----------
    source : fitted spectrum and core, photons included; profiles : of the open reference field.
    """
    shallow = min(profiles, key=lambda c: c.depth_cm, default=None)
    if shallow is None or source.wide_frac <= 0.0:
        return source
    thickness = min(0.4 * shallow.depth_cm, 0.4)
    alone = attrs.evolve(source, wide_frac=0.0, wide_angle_rad=0.0)
    at, core = water.across(alone, shallow.depth_cm, thickness, _BESIDE_ELECTRONS)
    edge = (
        0.5 * water.geometry.applicator.opening_x_cm * (water.ssd_cm + shallow.depth_cm) / water.geometry.frame.sad_cm
    )
    is_beside = (np.abs(shallow.position_cm) > edge + _BESIDE_CM) & (np.abs(shallow.position_cm) < at[-1])
    if not np.any(is_beside):
        return source
    spread = math.hypot(source.core_angle_rad, source.wide_angle_rad)
    _, wide = water.across(of_one_spread(source, spread), shallow.depth_cm, thickness, _ELECTRONS)
    shares = np.arange(0.0, 1.5 * source.wide_frac + _SHARE_STEP, _SHARE_STEP)
    misfits = [_misfit(shallow, at, (1.0 - share) * core + share * wide, is_beside) for share in shares]
    return attrs.evolve(source, wide_frac=float(shares[np.argmin(misfits)]))


def _edge_misfits(source: MonteCarloModel, curve: Curve, water: Water) -> tuple[list[float], int]:
    """χ² of the profile's edges for the core angles `FINE` about the source's, scale free, and how many points."""
    way_cm = water.ssd_cm + curve.depth_cm - water.geometry.insert_distance_cm + source.insert_thickness_cm
    edge = 0.5 * water.geometry.applicator.opening_x_cm * (water.ssd_cm + curve.depth_cm) / water.geometry.frame.sad_cm
    is_edge = np.abs(np.abs(curve.position_cm) - edge) < _EDGE_SIGMAS * source.core_angle_rad * way_cm
    sigma = np.hypot(curve.sigma, _EDGE_ERROR * curve.dose.max())[is_edge]
    near = []
    for step in NEAR:
        turned = attrs.evolve(source, core_angle_rad=source.core_angle_rad * (1.0 + step))
        at, line = water.across(turned, curve.depth_cm, min(0.4 * curve.depth_cm, 0.4), _EDGE_ELECTRONS)
        near.append(np.interp(np.abs(curve.position_cm[is_edge]), at, line) / sigma)
    wanted, rows = curve.dose[is_edge] / sigma, between(near, *FINE)
    scale = (rows @ wanted) / np.sum(rows * rows, axis=1)
    return [float(chi2) for chi2 in np.sum((wanted - scale[:, None] * rows) ** 2, axis=1)], len(wanted)


def with_core_in_water(
    source: MonteCarloModel, profiles: Sequence[Curve], water: Water, *, error_frac: float
) -> MonteCarloModel:
    """The source with the mean of its narrow spread and the one that the edges of a far profile in water ask for.

    Far from the insert the spread makes most of the penumbra: at 110 cm it is found to 1 %, as well as from profiles in
    air or better, and by dose. Nearer, the millimetres of a detector count. As it is if no surface is so far away.

    Parameters
    ----------
    profiles : of the reference opening at any SSD, of which the shallowest at the farthest is used.
    error_frac : one standard error of the source's narrow spread; both count by their errors' squares.
    """
    far = min(profiles, key=lambda c: (-c.field.ssd_cm, c.depth_cm), default=None)
    if far is None or far.field.ssd_cm - water.geometry.insert_distance_cm < _LEAST_WAY_CM:
        return source
    there, found = attrs.evolve(water, ssd_cm=far.field.ssd_cm), source
    for _ in range(_EDGE_ROUNDS):
        misfits, points = _edge_misfits(found, far, there)
        at, error = least(misfits, points)
        if points < _LEAST_EDGE_POINTS or not math.isfinite(error):
            return source
        found = attrs.evolve(found, core_angle_rad=found.core_angle_rad * (1.0 + float(FINE[at])))
        if 0 < at < len(FINE) - 1:
            break
    part = 1.0 / (1.0 + (error / error_frac) ** 2)
    return attrs.evolve(
        source, core_angle_rad=(1.0 - part) * source.core_angle_rad + part * found.core_angle_rad
    )  # fmt: skip


def _spread_out(at_cm: Float, dose: Float, sigma_cm: float) -> Float:
    """A line of bins, alike on both sides, each spread as a Gaussian."""
    if sigma_cm <= 0.0:
        return dose
    both, line = np.concatenate([-at_cm[::-1], at_cm]), np.concatenate([dose[::-1], dose])
    far = (at_cm[:, None] - both[None, :]) / sigma_cm
    weight = np.exp(-0.5 * far * far)
    return np.asarray((weight @ line) / weight.sum(axis=1))


def with_photon_spread(
    source: MonteCarloModel, profiles: Sequence[Curve], water: Water, *, range_cm: float
) -> MonteCarloModel:
    """The source with the spread of the contaminant photons that the deepest profile asks for.

    A spread about the fan moves a photon across at a depth by the spread times the way from the insert: one run without
    any, spread out afterwards, serves all of them. As it is if no profile lies below the electrons' range.
    """
    deep = max(profiles, key=lambda c: c.depth_cm, default=None)
    if deep is None or deep.depth_cm < _BELOW_RANGE * range_cm or source.photons_per_electron <= 0.0:
        return source
    water = attrs.evolve(water, strip_cm=_DEEP_STRIP_CM, below_cm=_PHOTONS_BELOW_CM)
    none, only = (attrs.evolve(source, photons_per_electron=n, photon_angle_rad=0.0) for n in (0.0, MANY_PHOTONS))
    # The row may not reach up to where electrons still come: their dose would hide the photons'.
    thickness = max(_LEAST_THICKNESS_CM, min(_DEEP_THICKNESS_CM, 2.0 * (deep.depth_cm - _BELOW_RANGE * range_cm)))
    at, electrons = water.across(none, deep.depth_cm, thickness, _ELECTRONS)
    _, lit = water.across(only, deep.depth_cm, thickness, _PHOTONS)
    lit *= source.photons_per_electron / MANY_PHOTONS
    way_cm = water.ssd_cm + deep.depth_cm - water.geometry.insert_distance_cm + source.insert_thickness_cm
    is_used = np.abs(deep.position_cm) < at[-1]
    found = [
        (_misfit(deep, at, electrons + _spread_out(at, lit, spread * way_cm), is_used), spread)
        for spread in _SPREADS_RAD
    ]
    return attrs.evolve(source, photon_angle_rad=min(found)[1])
