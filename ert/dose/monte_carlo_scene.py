"""The patient as the Monte Carlo sees it: a medium and a density for every voxel of a grid around the dose grid."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.dose.kernels.mc_voxelise import overlaps, voxel_means
from ert.dose.monte_carlo_tables import MonteCarloTables, kernel_tables, photon_majorant
from ert.dose.physics import AIR_DENSITY_G_CM3
from ert.dose.tissue import TissueGrid
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
TISSUES = ("lung", "adipose", "water", "muscle", "cartilage", "compact bone", "cortical bone", "wax")
METALS = ("aluminium", "cerrobend", "lead", "tungsten")
AIR_BELOW_G_CM3, METAL_FROM_G_CM3 = 0.05, 2.3
_RATIO_ENERGY_MEV = 10.0
_STOPPING_SCALE, _SCATTERING_SCALE = 0.01, 0.05
_MOST_VOXELS = 60_000_000
_ALIKE_RATIO = np.float32(1.25)


@attrs.frozen(kw_only=True, eq=False)
class Scene:
    """Voxels for the kernels.

    Attributes
    ----------
    grid : the dose grid, extended by whole voxels to hold all tissue.
    kernel : what `kernel_scene` gives.
    tables : the tables as the kernels take them.
    density_g_cm3, relative_stopping, patient_share : float32 [z, y, x], voxel means; where the tissue grid does not
        say what is patient, all that is denser than air.
    window : slices of the dose grid within the grid.
    """

    grid: VoxelGrid
    kernel: tuple[Any, ...]
    tables: tuple[Any, ...]
    density_g_cm3: Float32
    relative_stopping: Float32
    patient_share: Float32
    window: tuple[slice, slice, slice]


def media_ratios(tables: MonteCarloTables, names: tuple[str, ...]) -> Float:
    """Mass stopping and scattering relative to water at 10 MeV: rows of the media, two columns."""
    row = round(_RATIO_ENERGY_MEV / tables.step_mev)
    water = tables.medium("water")
    index = [tables.medium(n) for n in names]
    stop, scatter = tables.total[:, row, 0].astype(float), tables.electron[:, row, 1].astype(float)
    return np.column_stack([stop[index] / stop[water], scatter[index] / scatter[water]])


def choose_media(
    tables: MonteCarloTables, density: Float32, stopping: Float32, scattering: Float32
) -> NDArray[np.uint8]:
    """The medium whose mass stopping and scattering ratios are nearest: air, tissues, from 2.3 g/cm³ on metals."""
    names = (*TISSUES, *METALS)
    ratios = media_ratios(tables, names)
    index = np.array([tables.medium(n) for n in names], dtype=np.uint8)
    best = np.full(density.shape, np.inf, dtype=np.float32)
    chosen = np.full(density.shape, tables.medium("air"), dtype=np.uint8)
    is_metal = density >= METAL_FROM_G_CM3
    mass_stop, mass_scatter = stopping / density, scattering / density
    for number, (stop, scatter) in enumerate(ratios):
        far = ((mass_stop - stop) / _STOPPING_SCALE) ** 2 + (
            (mass_scatter - scatter) / _SCATTERING_SCALE / scatter
        ) ** 2
        better = (far < best) & (is_metal == (number >= len(TISSUES))) & (density >= AIR_BELOW_G_CM3)
        best[better], chosen[better] = far[better], index[number]
    return chosen


def kernel_scene(
    medium: NDArray[np.uint8],
    density_g_cm3: Float32,
    shape_xyz: tuple[int, int, int],
    size_cm: tuple[float, float, float],
) -> tuple[Any, ...]:
    """Voxels as the kernels take them: medium, transport density, shape, size, 1/size (x, y, z), and what is alike.

    Parameters
    ----------
    medium, density_g_cm3 : flat, index (z · ny + y) · nx + x.
    """
    shape, size = np.array(shape_xyz, dtype=np.int64), np.array(size_cm, dtype=np.float64)
    return medium, density_g_cm3, shape, size, 1.0 / size, alike_around(density_g_cm3.reshape(shape_xyz[::-1])).ravel()


def alike_around(density_g_cm3: Float32) -> NDArray[np.bool_]:
    """Voxels inside the grid that are, with their 26 neighbours, of densities within a quarter of each other."""
    low = high = density_g_cm3
    for axis in range(3):
        low, high = (_of_three(low, axis, np.minimum), _of_three(high, axis, np.maximum))
    alike = np.zeros(density_g_cm3.shape, dtype=np.bool_)
    if low.size:
        alike[1:-1, 1:-1, 1:-1] = high <= _ALIKE_RATIO * low
    return alike


def _of_three(values: Float32, axis: int, pick: np.ufunc) -> Float32:
    """The smallest or largest of each value and its two neighbours along an axis; without the first and last."""
    v = np.moveaxis(values, axis, 0)
    found: Float32 = pick(pick(v[:-2], v[2:]), v[1:-1])
    return np.moveaxis(found, 0, axis)


def extended_grid(dose_grid: VoxelGrid, tissue: VoxelGrid) -> tuple[VoxelGrid, tuple[slice, slice, slice]]:
    """The dose grid extended by whole voxels over all of the tissue grid, and where the dose grid lies in it.

    Raises
    ------
    Refused
        If that would be more voxels than memory allows.
    """
    corners = dose_grid.index_xyz(tissue.corners_cm())
    shape = np.array(dose_grid.shape_zyx[::-1])
    low = np.minimum(0, np.floor(corners.min(axis=0) + 0.5).astype(int))
    high = np.maximum(shape, np.ceil(corners.max(axis=0) + 0.5).astype(int))
    count = high - low
    if int(np.prod(count)) > _MOST_VOXELS:
        raise Refused("The Monte Carlo's grid would be too large.", hint="Choose a coarser dose grid.")
    spacing, axes = np.asarray(dose_grid.spacing_cm), np.asarray(dose_grid.axes)
    origin = np.asarray(dose_grid.origin_cm) + (low * spacing) @ axes
    grid = attrs.evolve(dose_grid, origin_cm=tuple(origin), shape_zyx=tuple(count[::-1]))
    window = [slice(-int(a), -int(a) + int(n)) for a, n in zip(low, shape, strict=True)]
    return grid, (window[2], window[1], window[0])


def _covered(grid: VoxelGrid, tissue: VoxelGrid) -> list[tuple[NDArray[np.int64], Float]]:
    """Overlaps along x, y and z.

    Raises
    ------
    Refused
        If the grids are not parallel.
    """
    if not np.allclose(np.asarray(grid.axes), np.asarray(tissue.axes), atol=1e-6):
        raise Refused("The dose grid is not parallel to the CT.", hint="Compute dose on a grid along the CT's axes.")
    start = tissue.index_xyz(np.asarray(grid.origin_cm))
    step = np.asarray(grid.spacing_cm) / np.asarray(tissue.spacing_cm)
    count, size = grid.shape_zyx[::-1], tissue.shape_zyx[::-1]
    return [overlaps(float(start[a]), float(step[a]), count[a], size[a]) for a in range(3)]


def build_scene(tables: MonteCarloTables, tissue: TissueGrid, dose_grid: VoxelGrid) -> Scene:
    """Voxel means of the tissue, a medium for each, and a transport density that gives its stopping power exactly."""
    grid, window = extended_grid(dose_grid, tissue.grid)
    means = np.empty((3, *grid.shape_zyx), dtype=np.float32)
    share = np.empty(grid.shape_zyx, dtype=np.float32)
    x, y, z = _covered(grid, tissue.grid)
    voxel_means(
        tissue.density_g_cm3, tissue.relative_stopping, tissue.relative_scattering, tissue.mask,
        *x, *y, *z, AIR_DENSITY_G_CM3, means, share,
    )  # fmt: skip
    density, stopping, scattering = means
    media = choose_media(tables, density, stopping, scattering)
    stop = np.ones(len(tables.media))
    names = (*TISSUES, *METALS)
    stop[[tables.medium(n) for n in names]] = media_ratios(tables, names)[:, 0]
    transport = np.where(media == tables.medium("air"), density, stopping / stop.astype(np.float32)[media])
    transport = np.ascontiguousarray(transport, dtype=np.float32)
    largest = np.array([transport[media == m].max(initial=0.0) for m in range(len(tables.media))])
    nz, ny, nx = grid.shape_zyx
    return Scene(
        grid=grid,
        kernel=kernel_scene(media.ravel(), transport.ravel(), (nx, ny, nz), grid.spacing_cm),
        tables=kernel_tables(tables, photon_majorant(tables, largest)),
        density_g_cm3=density,
        relative_stopping=stopping,
        patient_share=share if tissue.is_patient is not None else (density >= AIR_BELOW_G_CM3).astype(np.float32),
        window=window,
    )
