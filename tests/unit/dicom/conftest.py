"""CT series written with pydicom alone, the demo patient on disk, and a complete plan to export."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from ert.dicom.attributes import Origin
from ert.dicom.demo_patient import build_demo_patient, demo_image, demo_patient, demo_structures
from ert.dicom.export import ExportDose, ExportSource
from ert.domain.beam import Beam
from ert.domain.device import Aperture, ApertureSource
from ert.domain.image import CtCurve, CtCurvePoint
from ert.domain.machine import Applicator, Machine
from ert.domain.plan import Plan, Prescription
from ert.domain.record import DicomFile
from ert.geometry.grid import VoxelGrid

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def plain_value(points_mm):
    """A CT number that tells where in the patient it belongs: a plane wave with no ties in rounding."""
    x, y, z = np.moveaxis(np.asarray(points_mm), -1, 0)
    return np.rint(3 * x + 41 * y + 7 * z + 0.0613).astype(np.int64)


@attrs.define
class CtWriter:
    """Writes CT images as a scanner would: pixel (i, j) of slice k at origin + i dx R + j dy C + k dz N."""

    folder: Path
    orientation: tuple = IDENTITY
    origin_mm: tuple = (-12.5, -20.25, 30.0)
    spacing_mm: tuple = (2.5, 1.25, 3.0)  # along columns (x), along rows (y), between slices
    size: tuple = (9, 7, 5)  # columns, rows, slices
    position: str = "HFS"

    def dataset(self, k: int) -> Dataset:
        columns, rows, _slices = self.size
        row, column = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        normal = np.cross(row, column)
        corner = np.array(self.origin_mm) + k * self.spacing_mm[2] * normal
        i, j = np.meshgrid(np.arange(columns), np.arange(rows))
        points = corner + i[..., None] * self.spacing_mm[0] * row + j[..., None] * self.spacing_mm[1] * column
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, f"1.2.3.4.{k + 1}"
        ds.Modality, ds.PatientID, ds.PatientName = "CT", "P1", "DOE^JANE"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
        ds.FrameOfReferenceUID, ds.SeriesDescription = "1.2.3.3", "Chest"
        ds.ImageType, ds.PatientPosition = ["ORIGINAL", "PRIMARY", "AXIAL"], self.position
        ds.ImageOrientationPatient = [f"{v:.10f}" for v in self.orientation]
        ds.ImagePositionPatient = [f"{v:.6f}" for v in corner]
        ds.PixelSpacing = [str(self.spacing_mm[1]), str(self.spacing_mm[0])]
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = rows, columns, 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "-1024", "HU"
        ds.InstanceNumber = str((k * 3) % 17)
        ds.PixelData = (plain_value(points) + 1024).astype("<i2").tobytes()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        return ds

    def write(self, change: Callable[[Dataset, int], Dataset | None] | None = None) -> Path:
        """Write every slice; ``change`` may edit one (or return None to leave it out)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for k in range(self.size[2]):
            ds = self.dataset(k)
            if change is not None:
                ds = change(ds, k)
            if ds is not None:
                ds.save_as(self.folder / f"im{(k * 7) % 11}", enforce_file_format=True)
        return self.folder


@pytest.fixture
def ct_writer(tmp_path):
    """A `CtWriter` of a small anisotropic series; attributes may be set before writing."""
    return CtWriter(folder=tmp_path / "ct")


@pytest.fixture(scope="session")
def value_at():
    """The CT number that belongs to a point, mm."""
    return plain_value


@pytest.fixture(scope="session")
def demo_files(tmp_path_factory):
    """The demo patient's files: 72 slices, then the structure set."""
    return build_demo_patient(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def demo():
    """Patient, image and structures of the demo patient."""
    image = demo_image()
    return demo_patient(), image, demo_structures(image)


def make_machine():
    return Machine(
        name="DEMO LINAC",
        sad_cm=100.0,
        insert_distance_cm=95.0,
        insert_thickness_cm=1.5,
        insert_material="cerrobend",
        applicators=(
            Applicator(id="A06x10", opening_x_cm=6.0, opening_y_cm=10.0, jaw_x_cm=20.0, jaw_y_cm=22.0),
            Applicator(id="A15", opening_x_cm=15.0, opening_y_cm=15.0),
        ),
        energies_mev=(6.0, 12.0),
    )


def make_beam(number, **changes):
    fields = {
        "number": number,
        "name": f"Beam {number}",
        "machine_name": "DEMO LINAC",
        "energy_mev": 12.0,
        "applicator_id": "A15",
        "model_digest": "m",
        "isocentre_cm": (6.5, -9.1234, 0.1),
        "gantry_deg": 33.3333,
        "collimator_deg": 359.99999,
        "couch_deg": 10.0,
        "ssd_cm": 100.25,
        "aperture": Aperture(outline_cm=((-5.0, -6.1234), (5.0, -6.0), (5.5, 6.0), (-5.0, 6.25)), thickness_cm=1.5),
        "mu": 123.4567,
    }
    return Beam(**{**fields, **changes})


@pytest.fixture(scope="session")
def export_source(demo, demo_files):
    """A complete two-beam plan on the demo patient, with doses; fields may be replaced by keyword.

    Each structure keeps three contours: whole structure sets are tested elsewhere, and take their time to check.
    """
    patient, image, structures = demo
    few = tuple(attrs.evolve(s, contours=s.contours[:3]) for s in structures.structures)
    structures = attrs.evolve(structures, structures=few)
    curve = CtCurve(
        name="two points",
        points=(
            CtCurvePoint(hu=-1000, density_g_cm3=0.0, relative_stopping=0.0, relative_scattering=0.0),
            CtCurvePoint(hu=0, density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0),
        ),
    )
    open_field = Aperture(outline_cm=((-3, -5), (3, -5), (3, 5), (-3, 5)), source=ApertureSource.OPEN)
    plan = Plan(
        id="plan-1",
        course_id="course",
        name="Chest wall left boost one",
        image_id=image.id,
        structure_set_id=structures.id,
        external_number=1,
        prescription=Prescription(target_number=2, dose_gy=50.0, fractions=25),
        ct_curve=curve,
        beams=(make_beam(1), make_beam(4, applicator_id="A06x10", energy_mev=6.0, aperture=open_field, mu=80.0)),
    )
    grid = VoxelGrid(origin_cm=(-10.05, -10.01, -5.123), spacing_cm=(0.3, 0.25, 0.2), shape_zyx=(9, 11, 13))
    rng = np.random.default_rng(5)
    first, second = (rng.random(grid.shape_zyx, dtype=np.float32) * scale for scale in (30.0, 20.0))
    files = tuple(
        DicomFile(sop_instance_uid=uid, content=path.read_bytes())
        for uid, path in zip(image.sop_instance_uids, demo_files, strict=False)
    )

    def build(**changes):
        fields = {
            "patient": patient,
            "image": image,
            "structures": structures,
            "plan": plan,
            "machines": {"DEMO LINAC": make_machine()},
            "ct_files": files,
            "origin": Origin(made_at=dt.datetime(2025, 3, 4, 5, 6, 7, tzinfo=dt.UTC), software_version="0.1.0"),
            "is_demo": True,
            "dose": ExportDose(
                grid=grid,
                plan_gy=first + second,
                beams_gy={1: first, 4: second},
                engine="pencil-beam 1",
                beam_engines={1: "pencil-beam 1", 4: "pencil-beam 1"},
            ),
        }
        return ExportSource(**{**fields, **changes})

    return build
