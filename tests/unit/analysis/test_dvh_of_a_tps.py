"""Our histograms against those that a commercial system stored with its dose (left breast, Eclipse)."""

from pathlib import Path

import numpy as np
import pytest

from ert.analysis.dvh import compute_dvh
from ert.analysis.metrics import dose_at_volume_gy
from ert.domain.structure import Contour
from ert.geometry.contours import EndRule
from ert.geometry.grid import VoxelGrid
from tests.shapes import structure

FOLDER = Path(__file__).parents[4] / "shared" / "dicom" / "breast_rt_hybrid"
PRESCRIPTION_GY = 14.0

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the development data folder is not here")


def read_dose():
    import pydicom

    data = pydicom.dcmread(FOLDER / "rtdose.dcm")
    gy = (data.pixel_array * float(data.DoseGridScaling)).astype(np.float32)
    steps = np.diff([float(v) for v in data.GridFrameOffsetVector])
    assert steps == pytest.approx(steps[0])
    spacing = (float(data.PixelSpacing[1]) / 10, float(data.PixelSpacing[0]) / 10, float(steps[0]) / 10)
    grid = VoxelGrid(
        origin_cm=[float(v) / 10 for v in data.ImagePositionPatient], spacing_cm=spacing, shape_zyx=gy.shape
    )
    return data, gy, grid


def read_structures():
    import pydicom

    data = pydicom.dcmread(FOLDER / "rtss.dcm")
    found = {}
    for head, body in zip(data.StructureSetROISequence, data.ROIContourSequence, strict=True):
        contours = [
            Contour(points_cm=np.array(c.ContourData, dtype=float).reshape(-1, 3) / 10)
            for c in body.get("ContourSequence", [])
        ]
        found[int(head.ROINumber)] = structure(contours, number=int(head.ROINumber), name=str(head.ROIName))
    return found


def compare(end_rule=EndRule.AT_PLANES):
    """Rows: name, volumes, and (ours, theirs) of mean, D95, D50, D2, max."""
    data, gy, grid = read_dose()
    structures = read_structures()
    rows = []
    for item in data.DVHSequence:
        part = structures[int(item.DVHReferencedROISequence[0].ReferencedROINumber)]
        edges, volume = table_of(item)
        ours = compute_dvh(part, gy, grid, end_rule=end_rule)

        def theirs(percent, edges=edges, volume=volume):
            return float(np.interp(-percent, -100 * volume / volume[0], edges))

        scale = PRESCRIPTION_GY / 100
        pairs = {"mean": (ours.mean_gy, float(item.DVHMeanDose) * scale)}
        pairs |= {f"D{p}": (dose_at_volume_gy(ours, p), theirs(p)) for p in (95, 50, 2)}
        pairs["max"] = (ours.max_gy, float(item.DVHMaximumDose) * scale)
        rows.append((part.name, ours.volume_cc, float(volume[0]), pairs))
    return rows


def test_mean_and_median_within_half_a_percent_of_the_prescription_d95_and_d2_within_one():
    """That system ends structures at their outermost planes; its histogram of the whole body is sampled coarsely."""
    rows = compare()
    assert len(rows) == 9
    checked = [row for row in rows if row[2] > 5 and row[0] != "BODY"]
    assert {row[0] for row in checked} == {"Breast", "Heart", "Lt Lung", "Tumor Bed", "Tumor Bed Block"}
    for name, ours_cc, theirs_cc, pairs in checked:
        assert ours_cc == pytest.approx(theirs_cc, rel=0.01), name
        for metric, (ours, theirs) in pairs.items():
            limit = 0.005 if metric in ("mean", "D50") else 0.01
            assert ours == pytest.approx(theirs, abs=limit * PRESCRIPTION_GY), (name, metric)


def body():
    """Our histogram of the whole body, and their table: dose in Gy, volume above it in cc, and their mean."""
    data, gy, grid = read_dose()
    part = next(part for part in read_structures().values() if part.name == "BODY")
    item = next(i for i in data.DVHSequence if int(i.DVHReferencedROISequence[0].ReferencedROINumber) == part.number)
    dose_gy, theirs_cc = table_of(item)
    mean_gy = float(item.DVHMeanDose) * PRESCRIPTION_GY / 100
    return part, compute_dvh(part, gy, grid, end_rule=EndRule.AT_PLANES), dose_gy, theirs_cc, mean_gy


def table_of(item):
    table = np.array(item.DVHData, dtype=float).reshape(-1, 2)
    return np.cumsum(table[:, 0]) - table[0, 0], table[:, 1]


def test_body_has_the_volume_of_its_contours_and_of_that_systems_mean_though_its_table_begins_lower():
    """Areas by shapely. Mean times volume is the area under the cumulative table, so their mean states a volume too."""
    from shapely import Polygon, union_all

    part, ours, dose_gy, theirs_cc, mean_gy = body()
    planes = {}
    for contour in part.contours:
        planes.setdefault(round(float(contour.points_cm[0, 2]), 3), []).append(Polygon(contour.points_cm[:, :2]))
    areas_cm2 = [union_all([p.buffer(0) for p in planes[z]]).area for z in sorted(planes)]
    assert ours.volume_cc == pytest.approx(float(np.trapezoid(areas_cm2, sorted(planes))), rel=0.001)
    half_bin_gy = 0.005  # their means of the other eight structures lie this much above the area under their tables
    implied_cc = float(np.trapezoid(theirs_cc, dose_gy)) / (mean_gy - half_bin_gy)
    assert ours.volume_cc == pytest.approx(implied_cc, rel=0.002)
    assert theirs_cc[0] < 0.95 * implied_cc


def test_body_agrees_at_equal_volume():
    """D2 in % would compare other volumes with one another; at the same cc the dose is the same, and so is V."""
    _, ours, dose_gy, theirs_cc, _ = body()
    ours_cc = ours.volume_pct / 100 * ours.volume_cc
    for level_gy in (0.5, 1, 2, 5, 8, 10):
        expected_cc = np.interp(level_gy, dose_gy, theirs_cc)
        assert np.interp(level_gy, ours.dose_gy, ours_cc) == pytest.approx(expected_cc, rel=0.005), level_gy
    for volume_cc in (0.02 * theirs_cc[0], 0.02 * ours.volume_cc):
        theirs_gy = np.interp(-volume_cc, -theirs_cc, dose_gy)
        assert np.interp(-volume_cc, -ours_cc, ours.dose_gy) == pytest.approx(theirs_gy, abs=0.01 * PRESCRIPTION_GY)


def test_half_a_spacing_beyond_the_ends_adds_that_much_volume():
    ended, extended = ({row[0]: row[1] for row in compare(rule)} for rule in (EndRule.AT_PLANES, EndRule.HALF_SPACING))
    for name, volume_cc in ended.items():
        assert extended[name] > volume_cc, name
