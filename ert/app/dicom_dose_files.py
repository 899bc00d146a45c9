"""Result files of a dose from DICOM: RT Dose of plan and beams, all appearing together or not at all."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.dicom.attributes import DEMO_COMMENT, Origin, read_study
from ert.dicom.dose_write import DoseLabels, write_rt_dose
from ert.dicom.uids import uid_for
from ert.domain.identity import array_digest, digest_of
from ert.domain.image import CtImage
from ert.domain.patient import Patient
from ert.errors import DiskFull, StorageFailed
from ert.geometry.grid import VoxelGrid

_OWN_FILES = ("rtdose_plan.dcm", "rtdose_beam_*.dcm", "dvh.csv", "summary.json")
_LAST_FILE = "summary.json"
_NO_SPACE = 28


@attrs.frozen(kw_only=True)
class DoseFiles:
    """The doses of a plan and its beams, Gy for the whole course, and what their files say of them."""

    patient: Patient
    image: CtImage
    ct_file: Path
    plan_sop_instance_uid: str
    grid: VoxelGrid
    plan_gy: NDArray[np.float32] = attrs.field(eq=False, repr=False)
    beam_gy: tuple[tuple[int, NDArray[np.float32]], ...] = attrs.field(eq=False, repr=False)
    engine: str
    dose_to: str
    is_overridden: bool
    is_demo: bool
    made_at: dt.datetime

    def write(self, folder: Path) -> None:
        """Write ``rtdose_plan.dcm`` and ``rtdose_beam_N.dcm``; UIDs follow from the content."""
        series = uid_for("rtdose-series", self.plan_sop_instance_uid, digest_of(self.grid), array_digest(self.plan_gy))
        self._write_one(folder / "rtdose_plan.dcm", None, self.plan_gy, series, 1)
        for instance, (number, gy) in enumerate(self.beam_gy, start=2):
            self._write_one(folder / f"rtdose_beam_{number}.dcm", number, gy, series, instance)

    def _write_one(self, path: Path, beam: int | None, gy: NDArray[np.float32], series: str, instance: int) -> None:
        write_rt_dose(
            path,
            patient=self.patient,
            study=read_study(self.ct_file),
            frame_of_reference_uid=self.image.frame_of_reference_uid,
            grid=self.grid,
            dose_gy=gy,
            plan_sop_instance_uid=self.plan_sop_instance_uid,
            beam_number=beam,
            labels=DoseLabels(
                series=f"ERT {self.engine}, dose to {self.dose_to}",
                comment=f"{DEMO_COMMENT}, dose to {self.dose_to}," if self.is_demo else f"dose to {self.dose_to},",
                is_overridden=self.is_overridden,
            ),
            sop_instance_uid=uid_for("rtdose", series, str(beam), array_digest(gy)),
            series_uid=series,
            instance_number=instance,
            origin=Origin(made_at=self.made_at, software_version=metadata.version("ert")),
        )


@contextmanager
def results_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside ``out``; what is in it moves there at the end, after earlier results were removed.

    The summary moves last: where it is, the results are complete.

    Raises
    ------
    StorageFailed
        If the folder cannot be made or written; `DiskFull` if that is why.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".ert-dose-") as place:
            folder = Path(place) / "results"
            folder.mkdir()
            yield folder
            out.mkdir(exist_ok=True)
            for pattern in reversed(_OWN_FILES):
                for old in sorted(out.glob(pattern)):
                    old.unlink()
            for new in sorted(folder.iterdir(), key=lambda p: (p.name == _LAST_FILE, p.name)):
                new.replace(out / new.name)
    except OSError as error:
        kind = DiskFull if error.errno == _NO_SPACE else StorageFailed
        raise kind(f"The results cannot be written to '{out}': {error.strerror}.", detail=repr(error)) from error
