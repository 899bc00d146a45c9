"""Dose–volume histograms against dicompyler-core: time and error on a sphere in a linear dose gradient.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install dicompyler-core==0.5.6 "pydicom<3" scikit-image
    python benchmarks/dvh.py --peer-python /tmp/peers/bin/python [--repeats 5] [--fine]

Sphere of 3 cm, contours every 2.5 mm, dose on 100 × 100 × 80 voxels of 2.5 mm, 1 Gy/cm about 30 Gy at the centre. The
truth is the closed form of the volume above u = (D - D0) / (g R), (2 - 3 u + u³) / 4. That both find too little volume
is in the contours: slabs of 2.5 mm. `--fine` adds dicompyler-core at an eighth of a pixel with three segments between
planes, within the structure's extents, once.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from peers import Peer, print_machine, timed
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from ert.analysis.dvh import compute_dvh
from ert.analysis.metrics import dose_at_cc_gy, dose_at_volume_gy
from ert.domain.dvh import Dvh
from ert.domain.structure import Contour, Structure, StructureRole
from ert.geometry.grid import VoxelGrid

RADIUS_CM, CENTRE_GY, GRADIENT_GY_CM = 3.0, 30.0, 1.0
SPACING_CM, SHAPE = 0.25, (80, 100, 100)
METRICS = ("volume_cc", "mean_gy", "d95_gy", "d50_gy", "d2cc_gy", "max_gy")

_PEER = """
import pydicom
from dicompylercore import dvhcalc

read = {}

def run(folder, fraction, segments):
    if not read:
        read.update({n: pydicom.dcmread(f"{folder}/{n}.dcm") for n in ("structures", "dose")})
    spacing = 2.5 / fraction if fraction > 1 else None
    began = time.process_time()
    found = dvhcalc.get_dvh(read["structures"], read["dose"], 1, interpolation_resolution=spacing,
                            interpolation_segments_between_planes=segments, use_structure_extents=fraction > 1)
    seconds = time.process_time() - began
    return {"dvh_s": seconds, "volume_cc": float(found.volume), "mean_gy": float(found.mean),
            "d95_gy": float(found.D95.value), "d50_gy": float(found.D50.value), "d2cc_gy": float(found.D2cc.value),
            "max_gy": float(found.max)}
"""


def truth() -> dict[str, float]:
    """The closed form."""
    volume_cc = 4 / 3 * np.pi * RADIUS_CM**3
    u = np.linspace(-1, 1, 200_001)
    above = (2 - 3 * u + u**3) / 4

    def dose(part: float) -> float:
        return CENTRE_GY + GRADIENT_GY_CM * RADIUS_CM * float(np.interp(-part, -above, u))

    found = (volume_cc, CENTRE_GY, dose(0.95), dose(0.5), dose(2 / volume_cc), CENTRE_GY + GRADIENT_GY_CM * RADIUS_CM)
    return dict(zip(METRICS, found, strict=True))


def make_case() -> tuple[Structure, NDArray[np.float32], VoxelGrid]:
    x, y, lowest = (-SPACING_CM * n / 2 for n in reversed(SHAPE))
    grid = VoxelGrid(origin_cm=(x, y, lowest), spacing_cm=(SPACING_CM,) * 3, shape_zyx=SHAPE)
    dose = np.broadcast_to(CENTRE_GY + GRADIENT_GY_CM * (x + grid.axis_centres_cm(0)), SHAPE)
    angle = np.radians(np.arange(360))
    contours = []
    for z in lowest + grid.axis_centres_cm(2):
        if abs(z) < RADIUS_CM - 1e-9:
            # a polygon of the circle's area
            radius = np.sqrt(RADIUS_CM**2 - z**2) * np.sqrt(np.radians(1) / np.sin(np.radians(1)))
            points = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(360, z)])
            contours.append(Contour(points_cm=points))
    part = Structure(number=1, name="sphere", role=StructureRole.OTHER, contours=tuple(contours))
    return part, np.ascontiguousarray(dose, dtype=np.float32), grid


def save(data: Dataset, path: Path) -> None:
    data.SOPInstanceUID = generate_uid()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(path, enforce_file_format=True)


def write_dicom(part: Structure, dose_gy: NDArray[np.float32], grid: VoxelGrid, folder: Path) -> None:
    """What the peer reads: RTSTRUCT with one structure, RTDOSE of 32 bits."""
    structures = Dataset()
    structures.SOPClassUID, structures.Modality = "1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT"
    item = Dataset()
    item.ROINumber, item.ROIName = 1, part.name
    structures.StructureSetROISequence = [item]
    contours = []
    for contour in part.contours:
        entry = Dataset()
        entry.ContourGeometricType, entry.NumberOfContourPoints = "CLOSED_PLANAR", len(contour.points_cm)
        entry.ContourData = [f"{10 * v:.5f}" for v in contour.points_cm.ravel()]
        contours.append(entry)
    outline = Dataset()
    outline.ReferencedROINumber, outline.ROIDisplayColor, outline.ContourSequence = 1, [255, 0, 0], contours
    structures.ROIContourSequence = [outline]
    observation = Dataset()
    observation.ObservationNumber, observation.ReferencedROINumber, observation.RTROIInterpretedType = 1, 1, "ORGAN"
    structures.RTROIObservationsSequence = [observation]
    save(structures, folder / "structures.dcm")

    dose = Dataset()
    dose.SOPClassUID, dose.Modality = "1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE"
    dose.DoseUnits, dose.DoseType, dose.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    dose.NumberOfFrames, dose.Rows, dose.Columns = grid.shape_zyx
    dose.PixelSpacing, dose.SliceThickness = [10 * SPACING_CM] * 2, 10 * SPACING_CM
    dose.ImagePositionPatient, dose.ImageOrientationPatient = [10 * v for v in grid.origin_cm], [1, 0, 0, 0, 1, 0]
    dose.GridFrameOffsetVector = list(10 * SPACING_CM * np.arange(grid.shape_zyx[0]))
    dose.SamplesPerPixel, dose.PhotometricInterpretation, dose.PixelRepresentation = 1, "MONOCHROME2", 0
    dose.BitsAllocated, dose.BitsStored, dose.HighBit, dose.DoseGridScaling = 32, 32, 31, 1e-6
    dose.PixelData = np.round(dose_gy.astype(np.float64) * 1e6).astype("<u4").tobytes()
    save(dose, folder / "dose.dcm")


def figures(dvh: Dvh) -> dict[str, float]:
    doses = (dvh.mean_gy, dose_at_volume_gy(dvh, 95), dose_at_volume_gy(dvh, 50), dose_at_cc_gy(dvh, 2.0), dvh.max_gy)
    return dict(zip(METRICS, (dvh.volume_cc, *doses), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--peer-python", type=Path, help="a Python with dicompyler-core; without it only ERT is measured"
    )
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--fine", action="store_true", help="the peer at an eighth of a pixel, once")
    arguments = parser.parse_args()
    print_machine()
    part, dose_gy, grid = make_case()
    ours = partial(compute_dvh, part, dose_gy, grid)
    ours()  # compiled or read from its cache
    rows: dict[str, tuple[list[float], dict[str, float]]] = {"ERT": ([], {})}
    with tempfile.TemporaryDirectory() as folder:
        write_dicom(part, dose_gy, grid, Path(folder))
        peer = Peer(arguments.peer_python, _PEER) if arguments.peer_python else None
        modes = {"dicompyler-core": (1, 0), "  1/8 pixel": (8, 3)}
        for n in range(arguments.repeats):
            seconds, dvh = timed(ours)
            rows["ERT"] = ([*rows["ERT"][0], seconds], figures(dvh))
            for name, (fraction, segments) in modes.items() if peer else ():
                if fraction == 1 or (arguments.fine and n == 0):
                    answer = peer.run(folder=folder, fraction=fraction, segments=segments)
                    rows[name] = ([*rows.get(name, ([], {}))[0], answer["dvh_s"]], answer)
        if peer:
            peer.close()
    true = truth()
    print(f"{'':16s}{'CPU ms':>10s}" + "".join(f"{m:>12s}" for m in METRICS))
    print(f"{'closed form':26s}" + "".join(f"{true[m]:12.3f}" for m in METRICS))
    for name, (seconds, found) in rows.items():
        print(f"{name:16s}{1e3 * min(seconds):10.2f}" + "".join(f"{found[m]:12.3f}" for m in METRICS))
        print(f"{'   error':26s}" + "".join(f"{found[m] - true[m]:+12.3f}" for m in METRICS))
    for name, (seconds, _) in list(rows.items())[1:]:
        print(f"ratio of CPU times, {name.strip()} / ERT: {min(seconds) / min(rows['ERT'][0]):.0f}")
    print_machine()


if __name__ == "__main__":
    main()
