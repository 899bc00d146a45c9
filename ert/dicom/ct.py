"""A scanned CT series → `CtImage`, and its files handed on byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.dicom.boundary import dicom_boundary, read_dataset
from ert.dicom.headers import SliceHeader
from ert.dicom.orientation import along_patient_axes
from ert.dicom.pixels import read_hu
from ert.dicom.series import CtSeries
from ert.dicom.values import text
from ert.domain.image import CtImage
from ert.domain.record import DicomFile
from ert.errors import ExportRejected, ImportRejected


@attrs.frozen(kw_only=True)
class CtFile:
    """The file of one slice, as it arrived."""

    sop_instance_uid: str
    path: Path

    def read(self) -> DicomFile:
        """The file's bytes."""
        return DicomFile(sop_instance_uid=self.sop_instance_uid, content=self.path.read_bytes())


def ct_files(series: CtSeries) -> tuple[CtFile, ...]:
    """The files of a series, in the order of the series' slices."""
    return tuple(CtFile(sop_instance_uid=s.header.sop_instance_uid, path=s.header.path) for s in series.slices)


def _nothing() -> None:
    return None


def read_ct(
    series: CtSeries,
    *,
    progress: Callable[[float, str], None] | None = None,
    check: Callable[[], None] = _nothing,
) -> CtImage:
    """Read the pixels of a scanned series.

    A volume whose image axes lie along the patient's axes, in whatever order and direction the scanner chose, is
    turned (by exchanging and reversing axes, no voxel changes) so that x, y, z rise along the patient's left,
    posterior, superior; an oblique volume keeps its axes.

    Parameters
    ----------
    series : CtSeries
        From `ert.dicom.scan.scan`.
    progress : callable, optional
        Called with a fraction 0–1 and a text.
    check : callable, optional
        Called for every slice; raises to stop.

    Raises
    ------
    ImportRejected
        If the series is no volume (its first blocker says why) or a slice's pixels cannot be read exactly.
    """
    if series.grid is None or series.blockers:
        reasons = " ".join(f.sentence for f in series.blockers) or "It is no volume."
        raise ImportRejected(
            f"CT series '{series.description or series.uid}' cannot be used: {reasons}",
            hint="Choose another series, or have this one exported again completely.",
        )
    hu = np.empty(series.grid.shape_zyx, dtype=np.int16)
    for k, one in enumerate(series.slices):
        check()
        if progress is not None and k % 20 == 0:
            progress(k / len(series.slices), f"Reading CT slice {k + 1} of {len(series.slices)}")
        hu[k] = _read_slice(one)
    grid, turned, order = along_patient_axes(series.grid, hu)
    slices = [series.slices[k] for k in order]
    return CtImage(
        grid=grid,
        hu=turned,
        frame_of_reference_uid=series.frame_uid,
        study_instance_uid=series.study_uid,
        series_instance_uid=series.uid,
        sop_instance_uids=tuple(s.header.sop_instance_uid for s in slices),
        patient_position=series.patient_position,
        description=series.description,
        manufacturer=series.manufacturer,
        acquisition_date=series.slices[0].acquisition_date,
    )


def _read_slice(one: SliceHeader) -> NDArray[np.int16]:
    path = one.header.path
    dataset = read_dataset(path)
    with dicom_boundary(path.name):
        if text(dataset, "SOPInstanceUID") != one.header.sop_instance_uid:
            raise ImportRejected(f"'{path.name}' changed while it was imported.", hint="Scan the folder again.")
        return read_hu(dataset, one)


def write_ct_copies(folder: Path, files: Iterable[tuple[str, bytes]]) -> tuple[Path, ...]:
    """Write CT files unchanged, named by their place in the series.

    Parameters
    ----------
    folder : Path
        Exists.
    files : iterable of (SOP Instance UID, bytes)
        In the order of the volume's slices; taken one at a time.

    Raises
    ------
    ExportRejected
        If bytes are not the object whose UID they go under.
    """
    written = []
    for number, (uid, content) in enumerate(files, start=1):
        path = folder / f"CT_{number:04d}.dcm"
        path.write_bytes(content)
        try:
            found = text(read_dataset(path, keywords=("SOPInstanceUID",), with_pixels=False), "SOPInstanceUID")
        except ImportRejected as refused:
            raise ExportRejected(f"CT slice {number} as stored is no DICOM object.", detail=refused.detail) from refused
        if found != uid:
            raise ExportRejected(f"CT slice {number} as stored is not the slice it is filed as.")
        written.append(path)
    return tuple(written)
