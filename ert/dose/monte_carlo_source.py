"""The numbers the kernels start a beam's electrons with."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.machine import Applicator
from ert.domain.monte_carlo_model import MonteCarloModel
from ert.dose.fluence import outline_scale
from ert.dose.geometry import BeamGeometry
from ert.dose.kernels.mc_source import Metals
from ert.dose.monte_carlo_scene import AIR_BELOW_G_CM3, Scene
from ert.dose.monte_carlo_tables import MonteCarloTables
from ert.dose.physics import AIR_DENSITY_G_CM3
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
EDGE_MARGIN_CM = 0.6
_TARGET = "tungsten"
_PHOTON_ODDS = 0.25
"""Photon to electron histories, for each photon to an electron: about even noise for the time of both."""
_STEP_CM, _SEARCHED_CM, _ASIDE = 0.05, 60.0, 0.37
"""Search for the surface; points a little aside of round numbers, where the faces of voxels are."""
_LEAST_OUTER, _MOST_OUTER, _OUTER_IMPORTANCE = 0.02, 0.3, 0.2


@attrs.frozen(kw_only=True, eq=False)
class SourceNumbers:
    """As `ert.dose.kernels.mc_start` reads them."""

    source: tuple[Any, ...]
    numbers: Float
    metals: Metals
    affine: Float


def bev_to_grid_cm(geometry: BeamGeometry, grid: VoxelGrid) -> Float:
    """Affine [3, 4] from beam's eye view to cm from the corner of a grid along its axes."""
    axes, frame = np.asarray(grid.axes), geometry.frame
    affine = np.empty((3, 4))
    affine[:, :3] = axes @ frame.rotation.T
    corner = np.asarray(grid.origin_cm) - 0.5 * np.asarray(grid.spacing_cm) @ axes
    affine[:, 3] = axes @ (np.asarray(frame.isocentre_cm) - corner)
    return affine


def scene_numbers(
    model: MonteCarloModel, tables: MonteCarloTables, geometry: BeamGeometry, scene: Scene
) -> SourceNumbers:
    """Numbers for a beam on a scene, with the arrival at the surface."""
    return source_numbers(model, tables, geometry, scene.grid, arrival_height_cm(geometry, scene))


def arrival_height_cm(geometry: BeamGeometry, scene: Scene) -> float:
    """Height of the surface in beam's eye view, below the middle of the opening; the isocentre's if there is none."""
    top, affine = geometry.frame.sad_cm - geometry.insert_distance_cm, bev_to_grid_cm(geometry, scene.grid)
    heights = top - _STEP_CM * (np.arange(round(_SEARCHED_CM / _STEP_CM)) + _ASIDE)
    outline = np.asarray(geometry.outline_cm, dtype=np.float64)
    middle = 0.5 * (outline.min(axis=0) + outline.max(axis=0)) / geometry.frame.sad_cm
    points = np.column_stack([*(m * (geometry.frame.sad_cm - heights) for m in middle), heights])
    index = np.floor((points @ affine[:, :3].T + affine[:, 3]) / np.asarray(scene.grid.spacing_cm)).astype(int)
    inside = np.flatnonzero(np.all((index >= 0) & (index < scene.grid.shape_zyx[::-1]), axis=1))
    x, y, z = index[inside].T
    dense = inside[scene.density_g_cm3[z, y, x] >= AIR_BELOW_G_CM3]
    return float(heights[dense[0]]) if len(dense) else 0.0


def _irradiated_half_cm(model: MonteCarloModel, applicator: Applicator, *, sad_cm: float, insert_cm: float) -> Float:
    """Half widths of what the applicator leaves free, on the insert's upstream face."""
    scale = outline_scale(model.virtual_sad_cm, sad_cm, insert_cm)
    whole = 0.5 * scale * np.array([applicator.opening_x_cm, applicator.opening_y_cm]) + model.irradiated_margin_cm
    far = model.virtual_sad_cm - (sad_cm - insert_cm + model.insert_thickness_cm)
    return np.asarray(whole * far / model.virtual_sad_cm)


def source_numbers(
    model: MonteCarloModel, tables: MonteCarloTables, geometry: BeamGeometry, grid: VoxelGrid, arrival_cm: float = 0.0
) -> SourceNumbers:
    """Numbers for a beam on a grid; `arrival_cm` is the height, in beam's eye view, at which particles come evenly."""
    sad_cm, insert_cm = geometry.frame.sad_cm, geometry.insert_distance_cm
    up, down = sad_cm - insert_cm + model.insert_thickness_cm, sad_cm - insert_cm
    outline = np.ascontiguousarray(np.asarray(geometry.outline_cm, dtype=np.float64) * insert_cm / sad_cm)
    inner, outer = _rectangles(model, outline, geometry, sad_cm=sad_cm, insert_cm=insert_cm)
    inner_area, outer_area = ((r[1] - r[0]) * (r[3] - r[2]) for r in (inner, outer))
    beyond = max(0.0, outer_area - inner_area) / inner_area
    chance = min(_MOST_OUTER, _LEAST_OUTER + _OUTER_IMPORTANCE * beyond) if beyond > 0.0 else 0.0
    cumulative = np.concatenate([[0.0], np.cumsum(model.spectrum_share)])
    cumulative /= cumulative[-1]
    virtual = model.virtual_sad_cm
    odds = _PHOTON_ODDS * model.photons_per_electron
    photons = odds / (1.0 + odds)
    numbers = np.array([
        virtual, up, down, model.core_angle_rad, model.off_axis[0], model.off_axis[1], model.off_axis_limit_cm,
        virtual / (virtual - up), chance, inner_area / (1.0 - chance), outer_area / chance if chance > 0 else 0.0,
        model.insert_density_g_cm3, AIR_DENSITY_G_CM3, photons, 1.0 / (1.0 - photons),
        model.photons_per_electron / photons if photons > 0 else 0.0, model.photon_angle_rad, model.wide_frac,
        math.hypot(model.core_angle_rad, model.wide_angle_rad), model.slow_below_mev, model.slow_angle_rad, arrival_cm,
    ])  # fmt: skip
    return SourceNumbers(
        source=(outline, np.array([inner, outer]), model.spectrum_edges_mev, cumulative),
        numbers=numbers,
        metals=(
            tables.medium(model.insert_medium),
            tables.medium(_TARGET),
            tables.metals.index(model.insert_medium),
        ),  # fmt: skip
        affine=bev_to_grid_cm(geometry, grid),
    )


def _rectangles(
    model: MonteCarloModel, outline: Float, geometry: BeamGeometry, *, sad_cm: float, insert_cm: float
) -> tuple[Float, Float]:
    """Rectangles (x low, x high, y low, y high) around the opening and of all that is irradiated."""
    half_x, half_y = _irradiated_half_cm(model, geometry.applicator, sad_cm=sad_cm, insert_cm=insert_cm)
    outer = np.array([-half_x, half_x, -half_y, half_y])
    low, high = outline.min(axis=0) - EDGE_MARGIN_CM, outline.max(axis=0) + EDGE_MARGIN_CM
    inner = np.array([
        max(low[0], -half_x), min(high[0], half_x), max(low[1], -half_y), min(high[1], half_y),
    ])  # fmt: skip
    return inner, outer
