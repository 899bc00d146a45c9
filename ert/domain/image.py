"""CT images, the CT curve, materials."""

from __future__ import annotations

import functools

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.identity import array_digest, digest_of, new_id, read_only
from ert.errors import Refused
from ert.geometry.frames import PATIENT_POSITIONS
from ert.geometry.grid import VoxelGrid


def _hu(value: ArrayLike) -> NDArray[np.int16]:
    array = np.asarray(value)
    if array.dtype != np.int16:
        raise Refused("CT numbers must be 16-bit integers.")
    return read_only(array)


@attrs.frozen(kw_only=True)
class CtImage:
    """A CT volume.

    Attributes
    ----------
    id : random record id.
    grid : `VoxelGrid` in the patient.
    hu : int16 [z, y, x], CT numbers, read-only.
    frame_of_reference_uid, study_instance_uid, series_instance_uid : DICOM UIDs.
    sop_instance_uids : one for each slice, in the order of z.
    patient_position : DICOM (0018,5100), one of eight.
    description, manufacturer, acquisition_date : for display.
    """

    id: str = attrs.field(factory=new_id)
    grid: VoxelGrid
    hu: NDArray[np.int16] = attrs.field(converter=_hu, eq=attrs.cmp_using(eq=np.array_equal), repr=False)
    frame_of_reference_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    patient_position: str
    description: str = ""
    manufacturer: str = ""
    acquisition_date: str = ""

    def __attrs_post_init__(self) -> None:
        if self.hu.shape != self.grid.shape_zyx:
            raise Refused(f"The CT volume has shape {self.hu.shape}, its grid {self.grid.shape_zyx}.")
        if self.patient_position not in PATIENT_POSITIONS:
            raise Refused(f"Patient position '{self.patient_position}' is not supported.")

    @functools.cached_property
    def digest(self) -> str:
        """Digest of what the dose depends on: grid, CT numbers and patient position."""
        return digest_of((self.grid, array_digest(self.hu), self.patient_position))


@attrs.frozen(kw_only=True)
class CtCurvePoint:
    """One row of a CT curve. Ratios are linear, relative to water (`CtCurve`)."""

    hu: float
    density_g_cm3: float
    relative_stopping: float
    relative_scattering: float


@attrs.frozen(kw_only=True)
class CtCurve:
    """From CT number to mass density, relative linear collision stopping power and relative linear scattering power.

    Piecewise linear between the points, constant beyond both ends.

    Raises
    ------
    Refused
        If there are fewer than two points, CT numbers do not rise, or a value is negative.
    """

    name: str
    points: tuple[CtCurvePoint, ...] = attrs.field(validator=attrs.validators.instance_of(tuple))

    def __attrs_post_init__(self) -> None:
        if len(self.points) < 2:  # noqa: PLR2004
            raise Refused(f"CT curve '{self.name}' needs at least two points.")
        if any(b.hu <= a.hu for a, b in zip(self.points, self.points[1:], strict=False)):
            raise Refused(f"CT curve '{self.name}': CT numbers must rise from row to row.")
        if any(min(p.density_g_cm3, p.relative_stopping, p.relative_scattering) < 0 for p in self.points):
            raise Refused(f"CT curve '{self.name}' has a negative value.")

    @functools.cached_property
    def digest(self) -> str:
        """Digest of the points; the name does not count."""
        return digest_of(self.points)


@attrs.frozen(kw_only=True)
class Material:
    """A material for overrides and devices; ratios linear, relative to water, at the stated density."""

    name: str
    density_g_cm3: float
    relative_stopping: float
    relative_scattering: float


@attrs.frozen(kw_only=True)
class DensityOverride:
    """Everything inside a structure is taken to be one material. Overrides apply in order; the last one wins."""

    structure_number: int
    material: Material
