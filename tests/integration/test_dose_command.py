"""``ert dose`` on studies written by plain pydicom, results read back by plain pydicom.

Expected doses are those of the Monte Carlo reference the demo machine was fitted to (docs/physics/validation.md), given
here as numbers, or follow from geometry.
"""

import csv
import importlib.util
import json
import shutil
import sys
from pathlib import Path

import attrs
import numpy as np
import pydicom
import pytest
from scipy.interpolate import RegularGridInterpolator

from ert.cli.main import call
from ert.commissioning.package import read_package, write_package
from ert.settings import resources_dir

MACHINE = resources_dir() / "demo_machine" / "package"
_SPEC = importlib.util.spec_from_file_location(
    "phantom_study", Path(__file__).parents[2] / "benchmarks" / "phantom_study.py"
)
study = importlib.util.module_from_spec(_SPEC)
sys.modules["phantom_study"] = study
_SPEC.loader.exec_module(study)

HALF = 8.0
WATER = study.Block("water", (-HALF, HALF), (0.0, 9.0), (-HALF, HALF))
EXTENT = ((-HALF - 1, HALF + 1), (-1.0, 10.0), (-HALF - 1, HALF + 1))


def make(folder, *, beams, fractions=1, **phantom):
    settings = {"blocks": (WATER,), "extent_cm": EXTENT, "voxel_cm": 0.25, **phantom}
    made = study.Phantom(**settings)
    slices = study.write_ct(folder / "ct", made)
    study.write_structures(folder / "rs.dcm", made, slices)
    study.write_plan(folder / "rp.dcm", made, beams, fractions=fractions)
    study.write_curve(folder / "curve.csv")
    return folder


def run(folder, *more, out="out"):
    return call(
        ["dose", "--ct", str(folder / "ct"), "--structures", str(folder / "rs.dcm"), "--plan", str(folder / "rp.dcm"),
         "--machine", str(MACHINE), "--out", str(folder / out), *more]
    )  # fmt: skip


def beam(**changes):
    values = {"energy_mev": 12, "applicator_id": "A10", "isocentre_cm": (0.0, 0.0, 0.0), "ssd_cm": 100.0}
    return study.ElectronBeam(**{**values, **changes})


def sampler(path):
    dose, (x, y, z) = study.read_dose(path)
    return RegularGridInterpolator((z, y, x), dose, bounds_error=False, fill_value=0.0)


def along_axis(path, depths):
    at = sampler(path)
    return np.array([at((0.0, d, 0.0)) for d in depths]).ravel()


@pytest.fixture(autouse=True)
def _log_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """Two beams of 12 MeV, 100 and 50 MU, four fractions: SSD 100 from the front, cutout 6 × 6 as the second."""
    folder = tmp_path_factory.mktemp("study")
    square = ((-3.0, -3.0), (3.0, -3.0), (3.0, 3.0), (-3.0, 3.0))
    make(folder, beams=[beam(), beam(block_cm=square, mu=50.0)], fractions=4)
    assert run(folder) == 0
    return folder


def test_the_reference_field_gives_its_monte_carlo_dose(computed):
    """100 MU × 4 at the reference condition: 4 Gy at the maximum; R50 4.91 cm."""
    depths = np.arange(0.3, 8.0, 0.05)
    dose = along_axis(computed / "out" / "rtdose_beam_1.dcm", depths)
    assert dose.max() == pytest.approx(4.0, rel=0.01)
    beyond = depths[int(dose.argmax()) :]
    r50 = np.interp(-0.5, -dose[int(dose.argmax()) :] / dose.max(), beyond)
    assert r50 == pytest.approx(4.908, abs=0.1)


def test_the_cutout_has_its_measured_output(computed):
    """6 × 6 in the 10 × 10 applicator, 12 MeV: 0.9871 cGy/MU; 50 MU × 4."""
    dose = along_axis(computed / "out" / "rtdose_beam_2.dcm", np.arange(0.3, 8.0, 0.05))
    assert dose.max() == pytest.approx(2.0 * 0.9871, rel=0.02)


def test_the_plan_is_the_sum_of_its_beams(computed):
    plan, axes = study.read_dose(computed / "out" / "rtdose_plan.dcm")
    beams = [study.read_dose(computed / "out" / f"rtdose_beam_{n}.dcm")[0] for n in (1, 2)]
    assert plan == pytest.approx(beams[0] + beams[1], abs=1e-5)
    assert [np.ptp(np.diff(a)) < 1e-6 and np.diff(a)[0] == pytest.approx(0.25) for a in axes] == [True] * 3


def test_the_field_lies_where_the_block_is(computed):
    """At 1 cm depth the 50 % width of the 6 × 6 cutout is its width projected to SSD 100 + 1 cm."""
    at = sampler(computed / "out" / "rtdose_beam_2.dcm")
    x = np.arange(0.0, 6.0, 0.02)
    for line in ([(0.0, 1.0, v) for v in x], [(v, 1.0, 0.0) for v in x]):
        profile = at(line)
        half = np.interp(-0.5 * profile[0], -profile, x)
        assert half == pytest.approx(3.03, abs=0.1)


def test_no_dose_is_written_outside_the_patient(computed):
    dose, (x, y, z) = study.read_dose(computed / "out" / "rtdose_plan.dcm")
    outside = (np.abs(x) > HALF + 0.13)[None, None, :] | ((y < -0.13) | (y > 9.13))[None, :, None]
    outside = outside | (np.abs(z) > HALF + 0.13)[:, None, None]
    assert not dose[outside].any()


def test_what_the_dose_files_say(computed):
    ct = pydicom.dcmread(next((computed / "ct").iterdir()), stop_before_pixels=True)
    plan = pydicom.dcmread(computed / "rp.dcm")
    for name, kind in (("plan", "PLAN"), ("beam_1", "BEAM"), ("beam_2", "BEAM")):
        data = pydicom.dcmread(computed / "out" / f"rtdose_{name}.dcm", stop_before_pixels=True)
        assert data.DoseSummationType == kind
        assert (data.DoseUnits, data.DoseType) == ("GY", "PHYSICAL")
        assert data.FrameOfReferenceUID == ct.FrameOfReferenceUID
        assert data.StudyInstanceUID == ct.StudyInstanceUID
        assert data.PatientID == ct.PatientID
        assert data.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == plan.SOPInstanceUID
        assert "dose to medium" in data.SeriesDescription
        assert "DEMO" in data.DoseComment
        assert "dose to medium" in data.DoseComment


def test_the_summary_has_the_figures_promised(computed):
    summary = json.loads((computed / "out" / "summary.json").read_text(encoding="utf-8"))
    one, two = summary["beams"]
    assert {"algorithm", "seconds", "MU", "SSD_cm", "depth_of_maximum_cm", "dose_of_maximum_gy", "warnings"} <= set(one)
    assert (one["algorithm"], one["MU"], two["MU"], summary["fractions"]) == ("pbra", 100.0, 50.0, 4)
    assert one["SSD_cm"] == pytest.approx(100.0, abs=0.05)
    assert one["incidence_deg"] == pytest.approx(0.0, abs=0.1)
    assert one["depth_of_maximum_cm"] == pytest.approx(2.74, abs=0.4)
    assert one["dose_of_maximum_gy"] == pytest.approx(4.0, rel=0.01)
    (body,) = summary["structures"]
    assert body["name"] == "BODY"
    assert body["volume_cc"] == pytest.approx(16 * 16 * 9, rel=0.02)
    dose, _ = study.read_dose(computed / "out" / "rtdose_plan.dcm")
    assert body["max"] == pytest.approx(dose.max(), rel=0.01)
    assert body["D95"] <= body["D50"] <= body["D2"] <= body["max"]
    assert any("DEMO" in w for w in one["warnings"])


def test_the_histogram_file_agrees_with_the_dose(computed):
    with (computed / "out" / "dvh.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"structure", "stated_as", "dose_gy", "volume_percent", "volume_cc"}
    assert {row["stated_as"] for row in rows} == {"dose to medium"}
    gy = np.array([float(r["dose_gy"]) for r in rows])
    percent = np.array([float(r["volume_percent"]) for r in rows])
    assert percent[0] == 100.0
    assert np.all(np.diff(percent) <= 1e-9)
    dose, (x, y, z) = study.read_dose(computed / "out" / "rtdose_plan.dcm")
    inside = dose[np.abs(z) < HALF - 0.3][:, (y > 0.3) & (y < 8.7)][..., np.abs(x) < HALF - 0.3]
    volume_cc = np.interp(2.0, gy, percent) / 100 * 16 * 16 * 9
    assert volume_cc == pytest.approx(np.count_nonzero(inside >= 2.0) * 0.25**3, rel=0.08)


def test_the_same_inputs_give_the_same_doses(computed):
    assert run(computed, out="again") == 0
    for name in ("rtdose_plan.dcm", "rtdose_beam_1.dcm"):
        first, second = (pydicom.dcmread(computed / out / name) for out in ("out", "again"))
        assert first.PixelData == second.PixelData
        assert first.SOPInstanceUID == second.SOPInstanceUID


def test_a_second_run_leaves_nothing_of_the_first(computed, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(computed, folder)
    study_plan = pydicom.dcmread(folder / "rp.dcm")
    study_plan.BeamSequence = study_plan.BeamSequence[:1]
    group = study_plan.FractionGroupSequence[0]
    group.ReferencedBeamSequence, group.NumberOfBeams = group.ReferencedBeamSequence[:1], 1
    study_plan.save_as(folder / "rp.dcm")
    assert run(folder) == 0
    assert not (folder / "out" / "rtdose_beam_2.dcm").exists()
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_a_beam_from_the_left_enters_from_the_left(tmp_path):
    block = study.Block("water", (-9.0, 0.0), (-HALF, HALF), (-HALF, HALF))
    extent = ((-10.0, 1.0), (-HALF - 1, HALF + 1), (-HALF - 1, HALF + 1))
    make(tmp_path, blocks=(block,), extent_cm=extent, beams=[beam(gantry_deg=90.0)])
    assert run(tmp_path) == 0
    at = sampler(tmp_path / "out" / "rtdose_plan.dcm")
    assert at((0.0, 0.0, -2.7))[()] == pytest.approx(1.0, rel=0.015)
    assert at((0.0, 0.0, -7.0))[()] < 0.05


def test_a_bolus_shifts_the_dose_by_its_thickness(tmp_path):
    """Water in front of the patient, contoured as its own structure and given a material: R50 moves up by 1 cm."""
    bolus = study.Block("water", (-HALF, HALF), (-1.0, 0.0), (-HALF, HALF))
    extent = (EXTENT[0], (-2.0, 10.0), EXTENT[2])
    folder = make(tmp_path, beams=[beam()], extent_cm=extent)
    rs = pydicom.dcmread(folder / "rs.dcm")
    roi, seen = (attrs_copy(sequence[0]) for sequence in (rs.StructureSetROISequence, rs.RTROIObservationsSequence))
    roi.ROINumber, roi.ROIName = 2, "Bolus"
    seen.ReferencedROINumber, seen.ObservationNumber, seen.RTROIInterpretedType = 2, 2, "BOLUS"
    contour = attrs_copy(rs.ROIContourSequence[0])
    contour.ReferencedROINumber = 2
    for item in contour.ContourSequence:
        z = float(item.ContourData[2])
        corners = [(bolus.x_cm[i], bolus.y_cm[j]) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
        item.ContourData = [v for x, y in corners for v in (x * 10, y * 10, z)]
        item.NumberOfContourPoints = 4
    rs.StructureSetROISequence.append(roi)
    rs.RTROIObservationsSequence.append(seen)
    rs.ROIContourSequence.append(contour)
    rs.save_as(folder / "rs.dcm")
    overrides = folder / "overrides.json"
    overrides.write_text('[{"structure": "Bolus", "material": "water"}]', encoding="utf-8")
    assert run(folder, "--overrides", str(overrides), "--grid-cm", "0.2") == 0
    depths = np.arange(0.3, 8.0, 0.05)
    dose = along_axis(folder / "out" / "rtdose_plan.dcm", depths)
    top = int(dose.argmax())
    r50 = np.interp(-0.5, -dose[top:] / dose.max(), depths[top:])
    assert r50 == pytest.approx(4.908 - 1.0, abs=0.12)
    summary = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["overrides"] == [{"structure": "Bolus", "material": "water"}]


def attrs_copy(item):
    return pydicom.Dataset.from_json(item.to_json())


def test_dose_to_water_is_higher_in_bone(tmp_path):
    """Siebers et al. 2000: dose to water / dose to medium = 1.85 / 1.72 in compact bone of this curve, 1 in water."""
    bone = study.Block("bone_compact", (-HALF, HALF), (1.0, 3.0), (-HALF, HALF))
    folder = make(tmp_path, beams=[beam()], blocks=(WATER, bone))
    curve = ["--ct-curve", str(folder / "curve.csv")]
    assert run(folder, *curve) == 0
    assert run(folder, *curve, "--dose-to", "water", out="water") == 0
    medium, water = (sampler(folder / out / "rtdose_plan.dcm") for out in ("out", "water"))
    assert (water((0.0, 2.0, 0.0)) / medium((0.0, 2.0, 0.0)))[()] == pytest.approx(1.85 / 1.72, rel=0.005)
    assert (water((0.0, 0.4, 0.0)) / medium((0.0, 0.4, 0.0)))[()] == pytest.approx(1.0, rel=0.005)
    said = pydicom.dcmread(folder / "water" / "rtdose_plan.dcm", stop_before_pixels=True)
    assert "dose to water" in said.SeriesDescription
    assert "dose to water" in said.DoseComment
    summary = json.loads((folder / "water" / "summary.json").read_text(encoding="utf-8"))
    assert summary["dose_to"] == "water"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make(tmp_path_factory.mktemp("small"), beams=[beam()], voxel_cm=0.5)


def edited(folder, tmp_path, name, change):
    """A copy of a study with one file changed."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    paths = [copy / name] if name != "ct" else sorted((copy / "ct").iterdir())
    for path in paths:
        data = pydicom.dcmread(path)
        change(data)
        data.save_as(path)
    return copy


def set_energy(data):
    data.BeamSequence[0].ControlPointSequence[0].NominalBeamEnergy = 9


def drop_external(data):
    data.RTROIObservationsSequence[0].RTROIInterpretedType = "ORGAN"
    data.StructureSetROISequence[0].ROIName = "Something"


def drop_mu(data):
    del data.FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset


def set_photon(data):
    data.BeamSequence[0].RadiationType = "PHOTON"


def set_attribute(**values):
    def change(data):
        for key, value in values.items():
            setattr(data, key, value)

    return change


def set_ssd(data):
    data.BeamSequence[0].ControlPointSequence[0].IsocenterPosition = [0, 80, 0]


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("rp.dcm", set_energy, "has no 9 MeV; it has 6, 12, 20 MeV"),
        ("rp.dcm", set_photon, "is a photon treatment beam"),
        ("rp.dcm", drop_mu, "no monitor units"),
        ("rp.dcm", set_attribute(FrameOfReferenceUID="1.2.3"), "another frame of reference"),
        ("rp.dcm", set_attribute(PatientID="OTHER"), "The plan is of patient 'OTHER'"),
        ("rp.dcm", set_ssd, "source to surface distance is 92.0 cm"),
        ("rs.dcm", drop_external, "EXTERNAL"),
        ("rs.dcm", set_attribute(PatientID="OTHER"), "different patients"),
        ("ct", set_attribute(PatientPosition="HFP"), "position HFS, the CT was taken in HFP"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(small, tmp_path, capsys, name, change, sentence):  # noqa: PLR0917
    folder = edited(small, tmp_path, name, change)
    assert run(folder) == 1
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.out == ""
    assert not (folder / "out").exists()
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is no JSON"),
        ("{}", "holds no list"),
        ('[{"structure": "BODY"}]', "needs exactly 'structure' and 'material'"),
        ('[{"structure": "Nobody", "material": "water"}]', "no structures named 'Nobody'"),
        ('[{"structure": "BODY", "material": "unobtainium"}]', "no material 'unobtainium'"),
        ('[{"structure": 1, "material": "water"}]', "must be names"),
    ],
)
def test_bad_overrides_are_refused(small, tmp_path, capsys, text, sentence):
    path = tmp_path / "o.json"
    path.write_text(text, encoding="utf-8")
    assert run(small, "--overrides", str(path), out="refused") == 1
    assert sentence in capsys.readouterr().err
    assert not (small / "refused").exists()


@pytest.mark.parametrize("grid", ["0", "-1", "0.01", "5"])
def test_absurd_grids_are_refused(small, capsys, grid):
    assert run(small, "--grid-cm", grid, out="refused") == 1
    assert "spacing must be 0.1 to 1.0 cm" in capsys.readouterr().err


def test_the_terminal_says_what_the_dose_is_stated_to(small, capsys):
    for medium in ("medium", "water"):
        assert run(small, "--grid-cm", "0.5", "--dose-to", medium, out=f"said_{medium}") == 0
        heads = [line for line in capsys.readouterr().out.splitlines() if f"dose to {medium}" in line]
        assert len(heads) == 2  # beams and structures


def test_an_odd_curve_is_told_in_the_warnings(small, tmp_path):
    """A ramp of two points that ends below metal: used, because the file says so, and not silently."""
    rows = ("HU,mass_density_g_cm3,rel_linear_collision_stopping_power,rel_linear_scattering_power",
            "-1000,0.0012,0.0011,0.0011", "1000,2,2,2")  # fmt: skip
    (tmp_path / "ramp.csv").write_text("\n".join(rows), encoding="utf-8")
    assert run(small, "--grid-cm", "0.5", "--ct-curve", str(tmp_path / "ramp.csv"), out="ramp") == 0
    summary = json.loads((small / "ramp" / "summary.json").read_text(encoding="utf-8"))
    assert any("it must reach 2500 HU" in text for text in summary["warnings"])
    assert len(summary["ct_curve_digest"]) == 64


def test_json_on_stdout_is_the_summary_file(small, capsys):
    assert run(small, "--json", "--grid-cm", "0.5", out="json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads((small / "json" / "summary.json").read_text(encoding="utf-8"))
    assert captured.err == ""


def test_a_machine_without_redefinition_is_computed_by_the_pencil_beam(small):
    old = read_package(MACHINE)
    write_package(
        small / "old", attrs.evolve(old, models=tuple(attrs.evolve(m, redefinition=None) for m in old.models))
    )
    assert run(small, "--grid-cm", "0.5", "--machine", str(small / "old"), out="old-out") == 0
    (one, *_) = json.loads((small / "old-out" / "summary.json").read_text(encoding="utf-8"))["beams"]
    assert one["algorithm"] == "pencil-beam"


def test_the_redefinition_engine_gives_the_same_reference_dose_and_says_who_computed_it(tmp_path):
    make(tmp_path, beams=[beam()])
    assert run(tmp_path, "--algorithm", "pbra") == 0
    (one,) = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["beams"]
    assert one["algorithm"] == "pbra"
    assert one["engine"].startswith("pbra ")
    depths = np.arange(0.3, 8.0, 0.05)
    dose = along_axis(tmp_path / "out" / "rtdose_beam_1.dcm", depths)
    assert dose.max() == pytest.approx(1.0, rel=0.015)
    fall = int(dose.argmax())
    assert np.interp(-0.5, -dose[fall:] / dose.max(), depths[fall:]) == pytest.approx(4.908, abs=0.1)
