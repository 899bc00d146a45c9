"""``ert dose --algorithm monte-carlo`` from DICOM to DICOM; the study is written and read by plain pydicom."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

from ert.cli.main import call
from ert.settings import resources_dir

MACHINE = resources_dir() / "demo_machine" / "package"
_SPEC = importlib.util.spec_from_file_location(
    "phantom_study", Path(__file__).parents[2] / "benchmarks" / "phantom_study.py"
)
study = importlib.util.module_from_spec(_SPEC)
sys.modules["phantom_study"] = study
_SPEC.loader.exec_module(study)
WATER = study.Block("water", (-5.0, 5.0), (0.0, 5.0), (-5.0, 5.0))


def test_the_files_say_uncertainty_histories_and_seed(tmp_path, monkeypatch, capsys):
    """6 MeV, 6 × 6 cutout, 100 MU: output factor 1.00 ± 2 % of noise of one voxel (Monte Carlo reference)."""
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))
    phantom = study.Phantom(blocks=(WATER,), extent_cm=((-6.0, 6.0), (-1.0, 6.0), (-6.0, 6.0)), voxel_cm=0.5)
    slices = study.write_ct(tmp_path / "ct", phantom)
    study.write_structures(tmp_path / "rs.dcm", phantom, slices)
    beam = study.ElectronBeam(energy_mev=6, applicator_id="A06", isocentre_cm=(0.0, 0.0, 0.0), ssd_cm=100.0)
    study.write_plan(tmp_path / "rp.dcm", phantom, [beam], fractions=1)
    study.write_curve(tmp_path / "curve.csv")
    code = call([
        "dose", "--ct", str(tmp_path / "ct"), "--structures", str(tmp_path / "rs.dcm"),
        "--plan", str(tmp_path / "rp.dcm"),
        "--machine", str(MACHINE), "--out", str(tmp_path / "out"), "--ct-curve", str(tmp_path / "curve.csv"),
        "--grid-cm", "0.5", "--algorithm", "monte-carlo", "--uncertainty", "2", "--seed", "9", "--json",
    ])  # fmt: skip
    assert code == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)["beams"][0]
    assert found["algorithm"] == "monte-carlo"
    assert 0 < found["uncertainty_pct"] <= 2.0
    assert found["histories"] > 10_000
    assert found["seed"] == 9
    dose = next((tmp_path / "out").glob("*dose*.dcm"), None) or next((tmp_path / "out").glob("*.dcm"))
    data = pydicom.dcmread(dose)
    gray = data.pixel_array * float(data.DoseGridScaling)
    assert np.sort(gray.ravel())[-40:].mean() == pytest.approx(1.0, abs=0.05)
    assert f"{found['histories']} histories" in data.SeriesDescription
    assert len(data.SeriesDescription) <= 64


def test_an_uncertainty_out_of_range_is_refused(capsys):
    code = call([
        "dose", "--ct", "none", "--structures", "none", "--plan", "none", "--machine", str(MACHINE), "--out", "none",
        "--algorithm", "monte-carlo", "--uncertainty", "9",
    ])  # fmt: skip
    assert code == 1
    assert "0.5 to 3 %" in capsys.readouterr().err
