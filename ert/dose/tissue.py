"""From CT number to what electrons feel: relative stopping power, relative scattering power, mass density.

Order of precedence: overrides (the last one wins) > air outside EXTERNAL > the CT curve. A voxel is inside EXTERNAL if
at least half of it is; its CT number already holds the partial volume at the skin. An override is mixed in by the
fraction of the voxel that its structure fills, so that a bolus keeps its thickness below the size of a voxel.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.ct_curve import METAL_HU
from ert.domain.identity import read_only
from ert.domain.image import CtCurve, CtImage, DensityOverride
from ert.domain.materials import AIR
from ert.domain.structure import Structure, StructureSet
from ert.domain.tissue import metal_sentence
from ert.dose.kernels.convert import (
    AIR_BELOW_G_CM3,
    blend,
    convert_hu,
    count_within,
    may_be_tissue,
    medium_factors,
    row_ends,
)
from ert.dose.outline_gaps import refuse_gaps
from ert.dose.remembered import Remembered, TracedFans
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from ert.geometry.raster import Box, crop, structure_box, structure_mask, structure_occupancy, union_box

_MARGIN_VOXELS = 2
_LOWEST_HU, _HIGHEST_HU = -32768, 32767
_UNSCANNED_HU = -1100  # noise in air stays above it; scanners fill with -2000 or less
_TOLD_CC = 0.005  # below it a volume prints as 0.00
F32 = NDArray[np.float32]


@attrs.frozen(kw_only=True, eq=False)
class TissueGrid:
    """The patient as an electron sees it; arrays float32 [z, y, x], read-only.

    Attributes
    ----------
    grid : where; a part of the CT's grid.
    relative_stopping : linear collision stopping power relative to water.
    relative_scattering : linear scattering power relative to water.
    density_g_cm3 : mass density.
    is_patient : bool [z, y, x], inside EXTERNAL or an overridden structure: where dose is wanted; None where only the
        arrays are known (phantoms), then all tissue and the air between tissue is.
    warnings : sentences for the user.
    beyond_ct_cm : float64 (2, 3), how far contours of EXTERNAL and of overridden structures reach beyond the low and
        the high face of the CT along its x, y, z, where matter stands at that face (below zero: not beyond it); −inf
        where none does.
    fans : the rays that were traced last; they go with the patient.
    beyond : where the last few beams pass their measured depths (`ert.dose.measured_depth`).
    """

    grid: VoxelGrid
    relative_stopping: F32 = attrs.field(converter=read_only, repr=False)
    relative_scattering: F32 = attrs.field(converter=read_only, repr=False)
    density_g_cm3: F32 = attrs.field(converter=read_only, repr=False)
    is_patient: NDArray[np.bool_] | None = attrs.field(default=None, repr=False)
    warnings: tuple[str, ...] = ()
    beyond_ct_cm: NDArray[np.float64] = attrs.field(factory=lambda: np.full((2, 3), -np.inf), repr=False)
    fans: TracedFans = attrs.field(init=False, factory=TracedFans, repr=False)
    beyond: Remembered[NDArray[np.uint32]] = attrs.field(init=False, factory=lambda: Remembered(4), repr=False)
    _least: Remembered[float] = attrs.field(init=False, factory=lambda: Remembered(8), repr=False)

    def __attrs_post_init__(self) -> None:
        for values in (self.relative_stopping, self.relative_scattering, self.density_g_cm3):
            if values.dtype != np.float32 or values.shape != self.grid.shape_zyx:
                raise Refused("Tissue arrays must be 32-bit floats of the shape of their grid.")

    @cached_property
    def rim_xyz(self) -> NDArray[np.float64]:
        """First and last voxel (x, y, z) of every row that is no air: float64 [n, 3]. Beyond them no dose is wanted."""
        ends = row_ends(self.density_g_cm3, self.relative_stopping, self.mask)
        z, y = np.nonzero(ends[0] >= 0)
        rows = [np.stack([x[z, y], y, z], axis=1) for x in ends]
        return read_only(np.concatenate(rows).astype(np.float64))

    def least_along(self, direction: NDArray[np.float64]) -> float:
        """Least x·dx + y·dy + z·dz of all `rim_xyz`, of which there must be one; the last few are kept."""

        def find() -> float:
            return float((self.rim_xyz @ direction).min())

        return self._least.get(None, direction.tobytes(), find)

    @cached_property
    def medium_factors(self) -> F32:
        """Dose to the medium over dose to water; 0 where no dose is wanted, negative in air (`medium_factors`)."""
        return read_only(medium_factors(self.density_g_cm3, self.relative_stopping, self.mask))

    @cached_property
    def tissue_blocks(self) -> NDArray[np.bool_]:
        """Where rays may meet tissue (`may_be_tissue`)."""
        return read_only(may_be_tissue(self.relative_stopping))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The patient, for kernels: of size 0 where only the arrays are known; never to be written, for one kernel."""
        return read_only(np.empty((0, 0, 0), dtype=np.bool_) if self.is_patient is None else self.is_patient)


def curve_table(curve: CtCurve) -> F32:
    """Lookup table (65536, 3): stopping, scattering, density for each 16-bit CT number, row = HU + 32768.

    Piecewise linear between the points of the curve, constant beyond its ends.
    """
    hu = np.arange(-32768, 32768, dtype=np.float64)
    at = [p.hu for p in curve.points]
    columns = (
        [p.relative_stopping for p in curve.points],
        [p.relative_scattering for p in curve.points],
        [p.density_g_cm3 for p in curve.points],
    )
    return np.column_stack([np.interp(hu, at, column) for column in columns]).astype(np.float32)


def build_tissue(
    image: CtImage,
    *,
    external: Structure,
    structures: StructureSet,
    curve: CtCurve,
    overrides: Iterable[DensityOverride] = (),
    margin_voxels: int = _MARGIN_VOXELS,
) -> TissueGrid:
    """Tissue quantities on the part of the CT that holds EXTERNAL and all overridden structures.

    Parameters
    ----------
    image, curve : CT and its curve (Hogstrom 1981, Phys Med Biol 26:445: ratios to water per voxel).
    external : the patient's outline; outside it is air unless a structure is overridden there.
    structures, overrides : applied in order.
    margin_voxels : air kept around, as far as the CT reaches.

    Raises
    ------
    Refused
        If EXTERNAL lies outside the image or has a gap in which the CT shows tissue, or a structure is empty or not on
        planes parallel to the slices.
    """
    refuse_gaps(external, image.hu, image.grid)
    items = [(structures.structure(o.structure_number), o.material) for o in overrides]
    box = external_box(external, image.grid, margin_voxels=margin_voxels)
    for structure, _ in items:
        box = union_box(box, structure_box(structure, image.grid, margin_voxels=margin_voxels))
    grid = crop(image.grid, box)
    hu = image.hu[box]
    inside = structure_mask(external, grid)
    arrays = [np.empty(grid.shape_zyx, dtype=np.float32) for _ in range(3)]
    air = np.array([AIR.relative_stopping, AIR.relative_scattering, AIR.density_g_cm3], dtype=np.float32)
    is_patient = inside.copy()
    convert_hu(hu, inside, curve_table(curve), air, *arrays)
    for structure, material in items:
        values = (material.relative_stopping, material.relative_scattering, material.density_g_cm3)
        _override(arrays, (inside, is_patient), structure, values, grid)
    return TissueGrid(
        grid=grid,
        relative_stopping=arrays[0],
        relative_scattering=arrays[1],
        density_g_cm3=arrays[2],
        is_patient=read_only(is_patient),
        warnings=(*_metal_warnings(hu, inside, grid), *_unscanned_warnings(hu, inside, grid)),
        beyond_ct_cm=_beyond_ct_cm([external, *(s for s, _ in items)], image.grid, box, arrays[2], is_patient),
    )


def external_box(external: Structure, grid: VoxelGrid, *, margin_voxels: int = 0) -> Box:
    """The part of a grid that holds EXTERNAL.

    Raises
    ------
    Refused
        If EXTERNAL is empty or lies outside the grid.
    """
    box = structure_box(external, grid, margin_voxels=margin_voxels)
    if box is None:
        raise Refused(
            f"The external contour '{external.name}' does not lie in the image.",
            hint="Check that images and structures belong together.",
        )
    return box


def _override(
    arrays: list[F32],
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    structure: Structure,
    values: tuple[float, ...],
    grid: VoxelGrid,
) -> None:
    """Mix one material into the arrays; its voxels no longer count as read from the CT."""
    box: Box | None = structure_box(structure, grid)
    if box is None:
        return
    occupancy = structure_occupancy(structure, crop(grid, box))
    for array, value in zip(arrays, values, strict=True):
        blend(array[box], occupancy, value)
    inside, is_patient = masks
    inside[box] &= occupancy < 0.5
    is_patient[box] |= occupancy >= 0.5


def _metal_warnings(hu: NDArray[np.int16], inside: NDArray[np.bool_], grid: VoxelGrid) -> tuple[str, ...]:
    count = count_within(hu, inside, METAL_HU + 1, _HIGHEST_HU)
    if count == 0:
        return ()
    return (metal_sentence(count * grid.voxel_volume_cm3),)


def _unscanned_warnings(hu: NDArray[np.int16], inside: NDArray[np.bool_], grid: VoxelGrid) -> tuple[str, ...]:
    """Scanners fill what lies outside their circle with CT numbers far below air."""
    volume_cc = count_within(hu, inside, _LOWEST_HU, _UNSCANNED_HU) * grid.voxel_volume_cm3
    if volume_cc < _TOLD_CC:
        return ()
    return (
        f"{volume_cc:.2f} cm³ inside the external contour have CT numbers of {_UNSCANNED_HU} HU or less: the scanner "
        "did not see what is there, and it is taken for air. Give it a material if a beam passes through it.",
    )


def _beyond_ct_cm(
    drawn: Iterable[Structure], grid: VoxelGrid, box: Box, density: F32, is_patient: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """`TissueGrid.beyond_ct_cm` of structures drawn on the CT's grid, with the arrays of a part of it."""
    index = grid.index_xyz(np.concatenate([c.points_cm for structure in drawn for c in structure.contours]))
    size = np.asarray(grid.shape_zyx[::-1])
    reach = np.array([0.5, 0.5, 0.0])  # across slices a contour stands for half a slice beyond its plane
    beyond = np.stack([-reach - index.min(axis=0), index.max(axis=0) - (size - 1) - reach])
    beyond *= np.asarray(grid.spacing_cm)
    for axis, part in enumerate(reversed(box)):
        for end, at in enumerate((0, -1)):
            layer = (density.take(at, axis=2 - axis) > AIR_BELOW_G_CM3) & is_patient.take(at, axis=2 - axis)
            is_ct_face = part.start == 0 if end == 0 else part.stop == size[axis]
            if not is_ct_face or not layer.any():
                beyond[end, axis] = -np.inf
    return read_only(beyond)
