"""What a plan's overrides do to the patient, in cubic centimetres, before any dose is computed.

A voxel belongs to a structure if at least half of it lies inside, as everywhere in `ert.dose.tissue`; volumes are
therefore those of whole voxels and differ from planimetry by up to half a voxel at the surface.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.ct_curve import METAL_HU
from ert.domain.image import CtImage, DensityOverride
from ert.domain.structure import Structure, StructureSet
from ert.domain.tissue import MetalFound, OverrideOverlap, OverrideVolume, TissueReview
from ert.dose.kernels.convert import count_within
from ert.dose.tissue import external_box
from ert.geometry.grid import Float3, VoxelGrid
from ert.geometry.raster import Box, crop, structure_box, structure_mask, union_box

Mask = NDArray[np.bool_]


@attrs.frozen(kw_only=True, eq=False)
class _Part:
    """An overridden structure on its own part of the grid."""

    number: int
    box: Box
    mask: Mask


def review_tissue(
    image: CtImage,
    *,
    external: Structure,
    structures: StructureSet,
    overrides: Sequence[DensityOverride],
    check: Callable[[], None] = lambda: None,
) -> TissueReview:
    """Volumes, overlaps and metal of a plan's overrides.

    Parameters
    ----------
    external, structures, overrides : as for `ert.dose.tissue.build_tissue`.
    check : called now and then; raises to stop.

    Raises
    ------
    Refused
        If EXTERNAL lies outside the image, or a structure is empty or not on planes parallel to the slices.
    """
    box = external_box(external, image.grid)
    drawn = [structures.structure(o.structure_number) for o in overrides]
    for structure in drawn:
        box = union_box(box, structure_box(structure, image.grid))
    grid = crop(image.grid, box)
    inside = structure_mask(external, grid)
    parts = []
    for structure in drawn:
        check()
        part = structure_box(structure, grid)
        if part is not None:
            mask = structure_mask(structure, crop(grid, part))
            parts.append(_Part(number=structure.number, box=part, mask=mask))
    owner = np.full(grid.shape_zyx, -1, dtype=np.int16)
    for place, item in enumerate(parts):
        owner[item.box][item.mask] = place
    check()
    inside_free = inside & (owner < 0)
    return TissueReview(
        volumes=tuple(_volume(place, item, owner, inside, grid) for place, item in enumerate(parts)),
        overlaps=tuple(_overlaps(parts, grid)),
        metal=_metal(image.hu[box], inside_free, grid),
    )


def _volume(place: int, part: _Part, owner: NDArray[np.int16], inside: Mask, grid: VoxelGrid) -> OverrideVolume:
    voxel_cc = grid.voxel_volume_cm3
    return OverrideVolume(
        structure_number=part.number,
        volume_cc=int(np.count_nonzero(part.mask)) * voxel_cc,
        outside_cc=int(np.count_nonzero(part.mask & ~inside[part.box])) * voxel_cc,
        effective_cc=int(np.count_nonzero(owner[part.box] == place)) * voxel_cc,
    )


def _overlaps(parts: Sequence[_Part], grid: VoxelGrid) -> list[OverrideOverlap]:
    found = []
    for later, winner in enumerate(parts):
        for loser in parts[:later]:
            low = tuple(max(a.start, b.start) for a, b in zip(loser.box, winner.box, strict=True))
            high = tuple(min(a.stop, b.stop) for a, b in zip(loser.box, winner.box, strict=True))
            if any(a >= b for a, b in zip(low, high, strict=True)):
                continue
            both = loser.mask[_within(loser.box, low, high)] & winner.mask[_within(winner.box, low, high)]
            count = int(np.count_nonzero(both))
            if count:
                found.append(
                    OverrideOverlap(
                        loser_number=loser.number,
                        winner_number=winner.number,
                        volume_cc=count * grid.voxel_volume_cm3,
                        point_cm=_middle(both, low, grid),
                    )
                )
    return found


def _within(box: Box, low: Sequence[int], high: Sequence[int]) -> Box:
    z, y, x = (slice(a - s.start, b - s.start) for s, a, b in zip(box, low, high, strict=True))
    return (z, y, x)


def _middle(mask: Mask, low: Sequence[int], grid: VoxelGrid) -> Float3:
    """The voxel of a mask nearest to the mask's centre of gravity."""
    found = np.argwhere(mask)
    k, j, i = found[np.argmin(((found - found.mean(axis=0)) ** 2).sum(axis=1))] + np.asarray(low)
    x, y, z = grid.point_cm((int(i), int(j), int(k)))
    return float(x), float(y), float(z)


def _metal(hu: NDArray[np.int16], inside: Mask, grid: VoxelGrid) -> MetalFound | None:
    count = count_within(hu, inside, METAL_HU + 1, 32767)
    if count == 0:
        return None
    return MetalFound(
        volume_cc=count * grid.voxel_volume_cm3, point_cm=_middle(inside & (hu > METAL_HU), (0, 0, 0), grid)
    )
