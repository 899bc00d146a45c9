"""150 malformed files: none crashes anything or is half imported, memory is bounded. Needs the development data."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ert.dicom.dose import read_rt_dose
from ert.dicom.importing import Selection, default_selection, read_selection
from ert.dicom.plan import read_rt_plan
from ert.dicom.scan import scan
from ert.dicom.structures import read_structures
from ert.errors import ImportRejected

# One process for all files, so that its highest memory is theirs alone (VmHWM: ru_maxrss would be that of the process
# which started it, if that is larger). Every way in is tried with every file.
TRY_ALL = """
import json, re, sys, time
from pathlib import Path
from ert.dicom.dose import read_rt_dose
from ert.dicom.importing import Selection, default_selection, read_selection
from ert.dicom.plan import read_rt_plan
from ert.dicom.scan import scan
from ert.dicom.structures import read_structures
from ert.errors import ImportRejected
from ert.geometry.grid import VoxelGrid

grid = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(0.1, 0.1, 7.5), shape_zyx=(5, 9, 9))

def import_all(path):
    found = scan([path])
    for series in found.series:
        read_selection(found, Selection(series_uid=series.uid, medical_record_number="X", patient_position="HFS"))
    return read_selection(found, default_selection(found))

def structures(path):
    return read_structures(path, grid=grid, frame_of_reference_uid="1.3.6.1.4.1.2452.6")

outcome = {}
root = Path(sys.argv[1])
for path in sorted(p for p in root.rglob("*") if p.is_file()):
    start = time.monotonic()
    taken = []
    for read in (import_all, structures, read_rt_plan, read_rt_dose):
        try:
            read(path)
            taken.append(read.__name__)
        except ImportRejected as refused:
            assert refused.sentence and len(refused.sentence) < 3000, path
    outcome[str(path.relative_to(root))] = (taken, time.monotonic() - start)
highest = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(json.dumps([outcome, int(highest[1])]))
"""


@pytest.fixture(scope="module")
def broken(development_data):
    return development_data / "dicom" / "broken_dev"


@pytest.fixture(scope="module")
def outcome(broken):
    done = subprocess.run([sys.executable, "-c", TRY_ALL, broken], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_no_file_crashes_and_none_becomes_a_ct(outcome):
    files, _highest = outcome
    assert len(files) >= 150
    assert [name for name, (taken, _s) in files.items() if "import_all" in taken] == []


def test_memory_stays_below_one_gigabyte(outcome):
    _files, highest_kb = outcome
    assert highest_kb < 1_000_000


def test_only_this_dose_with_absolute_plane_positions_is_usable(outcome):
    files, _highest = outcome
    taken = {name: kinds for name, (kinds, _s) in files.items() if kinds}
    assert taken == {"rt_generated/rd_gfov_absolute_z.dcm": ["read_rt_dose"]}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("series_missing_slice", "missing between"),
        ("series_mixed_frame_of_reference", "frames of reference"),
        ("series_same_sop_uid_twice", "same SOP Instance UID"),
    ],
)
def test_broken_series_are_refused_with_their_cause(broken, name, reason):
    found = scan([broken / "rt_generated" / name])
    with pytest.raises(ImportRejected, match=reason):
        read_selection(found, default_selection(found))


CT_CAUSES = {
    "ct_bitsstored_12_highbit_15.dcm": None,
    "ct_iop_sheared.dcm": "sheared",
    "ct_missing_ipp.dcm": "no-geometry",
    "ct_missing_rescale.dcm": "no-rescale",
    "ct_pixelspacing_zero.dcm": "pixel-spacing",
    "ct_rescale_slope_zero.dcm": "no-rescale",
}


@pytest.mark.parametrize("name", CT_CAUSES)
def test_broken_slices_are_refused_with_their_cause(broken, name):
    (series,) = scan([broken / "rt_generated" / name]).series
    assert (CT_CAUSES[name] or "single-slice") in [f.code for f in series.blockers]


def test_a_series_with_a_cut_slice_is_refused_whole(broken, development_data, tmp_path):
    case = development_data / "dicom" / "oncentra_phantom_complete" / "case"
    for path in case.glob("CT*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    found = scan([tmp_path])
    assert [f.code for f in found.series[0].blockers] == ["slice-distance"]
    cut = next(tmp_path.iterdir())
    cut.write_bytes(cut.read_bytes()[: int(0.3 * cut.stat().st_size)])
    with pytest.raises(ImportRejected):
        read_selection(scan([tmp_path]), Selection(series_uid=found.series[0].uid))


STRUCTURE_CAUSES = {
    "rs_dangling_roi_reference.dcm": "structure 999, which does not exist",
    "rs_duplicate_roi_numbers.dcm": "used more than once",
    "rs_non_planar_contour.dcm": "does not lie in a plane",
    "rs_number_of_points_wrong.dcm": "announced",
    "rs_other_frame_of_reference.dcm": "another frame of reference",
    "rs_two_point_contour.dcm": "announced",
    "rs_zero_area.dcm": "announced",
}


@pytest.fixture(scope="module")
def oncentra_ct(development_data):
    (series,) = scan([development_data / "dicom" / "oncentra_phantom_complete" / "case"]).series
    return series


@pytest.mark.parametrize("name", STRUCTURE_CAUSES)
def test_broken_structure_sets_are_refused_with_their_cause(broken, oncentra_ct, name):
    with pytest.raises(ImportRejected, match=STRUCTURE_CAUSES[name]):
        read_structures(
            broken / "rt_generated" / name, grid=oncentra_ct.grid, frame_of_reference_uid=oncentra_ct.frame_uid
        )


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("rs_no_roicontoursequence.dcm", ["empty-structure"] * 7),
        ("rs_open_planar.dcm", ["contour-left-out"]),
        ("rs_roi_name_unicode_and_slash.dcm", []),
    ],
)
def test_odd_structure_sets_are_read_with_findings(broken, oncentra_ct, name, codes):
    structures, findings = read_structures(
        broken / "rt_generated" / name, grid=oncentra_ct.grid, frame_of_reference_uid=oncentra_ct.frame_uid
    )
    assert len(structures.structures) == 7
    assert [f.code for f in findings] == codes


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rt_generated/rd_scaling_zero.dcm", "values are lost"),
        ("rt_generated/rd_units_relative.dcm", "not Gy"),
        ("rt_truncated/rd_97pct.dcm", "cut short"),
        ("rt_truncated/rd_30pct.dcm", "damaged"),
    ],
)
def test_broken_doses_are_refused_with_their_cause(broken, name, reason):
    with pytest.raises(ImportRejected, match=reason):
        read_rt_dose(broken / name)


@pytest.mark.parametrize("name", ["rt_truncated/rp_30pct.dcm", "rt_truncated/rp_97pct.dcm", "rt_bitflip/rp_seed0.dcm"])
def test_broken_plans_are_refused(broken, name):
    with pytest.raises(ImportRejected, match="cannot be read"):
        read_rt_plan(broken / name)
