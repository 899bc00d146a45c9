"""``ert dose --algorithm monte-carlo`` from DICOM to DICOM; the study is written and read by plain pydicom."""

import hashlib
import importlib.util
import json
import os
import subprocess
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
CHILD = """
import sys
from ert.app import dose_checkpoints
from ert.cli.main import call

class Telling(dose_checkpoints.DoseCheckpoints):
    def __init__(self, folder):
        super().__init__(folder, every_s=0.0)

    def _save(self, file, data):
        super()._save(file, data)
        print(file.name, flush=True)

from ert.app import dicom_dose
dicom_dose.DoseCheckpoints = Telling
call(sys.argv[1:])
"""
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
    summary = json.loads(capsys.readouterr().out)
    found = summary["beams"][0]
    assert found["algorithm"] == "monte-carlo"
    assert 0 < found["uncertainty_pct"] <= 2.0
    assert found["histories"] > 10_000
    assert summary["seed"] == 9
    assert found["seed"] == int(hashlib.sha256(b"9 beam 1").hexdigest()[:15], 16)
    dose = next((tmp_path / "out").glob("*dose*.dcm"), None) or next((tmp_path / "out").glob("*.dcm"))
    data = pydicom.dcmread(dose)
    gray = data.pixel_array * float(data.DoseGridScaling)
    assert np.sort(gray.ravel())[-40:].mean() == pytest.approx(1.0, abs=0.05)
    assert f"{found['histories']} histories" in data.SeriesDescription
    assert len(data.SeriesDescription) <= 64


def test_a_killed_command_goes_on_from_its_checkpoints(tmp_path):
    """Two beams, killed (SIGKILL) after the second began; the resumed dose files hold the bytes of a run in one go."""
    environment = {**os.environ, "ERT_LOG_DIR": str(tmp_path / "log"), "PYTHONPATH": str(Path(__file__).parents[2])}
    phantom = study.Phantom(blocks=(WATER,), extent_cm=((-6.0, 6.0), (-1.0, 6.0), (-6.0, 6.0)), voxel_cm=0.5)
    slices = study.write_ct(tmp_path / "ct", phantom)
    study.write_structures(tmp_path / "rs.dcm", phantom, slices)
    beams = [
        study.ElectronBeam(energy_mev=6, applicator_id=a, isocentre_cm=(0.0, 0.0, 0.0), ssd_cm=100.0)
        for a in ("A06", "A10")
    ]
    study.write_plan(tmp_path / "rp.dcm", phantom, beams, fractions=1)
    study.write_curve(tmp_path / "curve.csv")
    folder = tmp_path / "checkpoints"

    def arguments(out):
        return [
            "dose", "--ct", str(tmp_path / "ct"), "--structures", str(tmp_path / "rs.dcm"),
            "--plan", str(tmp_path / "rp.dcm"), "--machine", str(MACHINE), "--out", str(tmp_path / out),
            "--ct-curve", str(tmp_path / "curve.csv"), "--grid-cm", "0.5", "--algorithm", "monte-carlo",
            "--uncertainty", "1", "--max-histories", "100000", "--resume", str(folder), "--json",
        ]  # fmt: skip

    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments("out")], stdout=subprocess.PIPE, env=environment, text=True
    )
    with child:
        for line in child.stdout:
            if "beam-2" in line:
                child.kill()
                break
    assert child.returncode != 0
    assert {f.name for f in folder.glob("*.ert-checkpoint")} == {"beam-1.ert-checkpoint", "beam-2.ert-checkpoint"}
    assert not (tmp_path / "out").exists()
    assert call(arguments("resumed")) == 0
    assert not folder.exists()
    assert call(arguments("whole")) == 0
    for name in ("rtdose_plan.dcm", "rtdose_beam_1.dcm", "rtdose_beam_2.dcm"):
        resumed, whole = (pydicom.dcmread(tmp_path / out / name) for out in ("resumed", "whole"))
        assert resumed.PixelData == whole.PixelData
        assert resumed.DoseGridScaling == whole.DoseGridScaling
    streams = [b["seed"] for b in json.loads((tmp_path / "whole" / "summary.json").read_text())["beams"]]
    assert len(set(streams)) == 2


def test_only_a_monte_carlo_can_be_resumed(capsys):
    code = call([
        "dose", "--ct", "none", "--structures", "none", "--plan", "none", "--machine", str(MACHINE), "--out", "none",
        "--resume", "none",
    ])  # fmt: skip
    assert code == 1
    assert "Only a Monte Carlo can be resumed" in capsys.readouterr().err


def test_an_uncertainty_out_of_range_is_refused(capsys):
    code = call([
        "dose", "--ct", "none", "--structures", "none", "--plan", "none", "--machine", str(MACHINE), "--out", "none",
        "--algorithm", "monte-carlo", "--uncertainty", "9",
    ])  # fmt: skip
    assert code == 1
    assert "0.5 to 3 %" in capsys.readouterr().err
