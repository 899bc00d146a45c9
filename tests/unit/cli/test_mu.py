"""``ert mu`` on typed fields and on a DICOM plan written by plain pydicom."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ert.cli.main import call
from ert.settings import resources_dir

MACHINE = str(resources_dir() / "demo_machine" / "package")
FIELD = ["--energy", "12", "--applicator", "A10", "--ssd", "100", "--dose", "200"]


@pytest.fixture(autouse=True)
def _log_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))


def answer(capsys, *arguments, code=0):
    assert call(["mu", "--machine", MACHINE, *map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_typed_square_by_hand(capsys, tmp_path):
    # 12 MeV, 4 × 4 measured: 0.96382 cGy/MU: 200 / 0.96382 = 207.51
    (beam,) = answer(capsys, *FIELD, "--cutout", "4x4", "--report", tmp_path / "sheet.pdf")["beams"]
    assert beam["tg71_mu"] == pytest.approx(207.507, abs=0.01)
    assert beam["verdict"] == "agrees"
    assert abs(beam["difference_percent"]) < 1.5
    assert [w["way"] for w in beam["cutout_factor"]] == ["measured", "sectors", "engine"]
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")


def test_an_outline_file_gives_the_same_as_its_size(capsys, tmp_path):
    path = tmp_path / "square.csv"
    path.write_text("x_cm,y_cm\n-2,-2\n2,-2\n2,2\n-2,2\n")
    (drawn,) = answer(capsys, *FIELD, "--outline", path, "--depth", "3")["beams"]
    (typed,) = answer(capsys, *FIELD, "--cutout", "4x4", "--depth", "3")["beams"]
    assert drawn == typed
    assert drawn["worksheet"]["depth_cm"] == 3.0


def test_what_cannot_be_checked_is_said_and_has_no_number(capsys):
    (beam,) = answer(capsys, *FIELD[:4], "--ssd", "105", "--dose", "200", "--cutout", "4x4")["beams"]
    assert beam["tg71_mu"] is None
    assert beam["verdict"] == "not checked"
    assert "several distances" in beam["refusal"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*FIELD], "--cutout or --outline"),
        ([*FIELD, "--cutout", "4by4"], "not understood"),
        ([*FIELD, "--cutout", "1x1"], "smallest commissioned"),
        ([*FIELD[:4], "--ssd", "130", "--dose", "200", "--cutout", "4x4"], "source to surface"),
        ([*FIELD[2:], "--cutout", "4x4"], "--energy"),
        (["--plan", "absent.dcm"], "does not exist"),
        (["--plan", "absent.dcm", "--dose", "2"], "cannot be given with --plan"),
        ([*FIELD[:6], "--dose", "-5", "--cutout", "4x4"], "above 0"),
        ([*FIELD, "--cutout", "4x4", "--depth", "-1"], "practical range"),
        ([*FIELD, "--cutout", "4x4", "--depth", "7"], "practical range"),
        ([*FIELD, "--cutout", "4x4", "--depth", "nan"], "practical range"),
        ([*FIELD, "--cutout", "4x4", "--report", "/nonexistent/sheet.pdf"], "cannot be written"),
    ],
)
def test_refusals(capsys, arguments, words):
    assert call(["mu", "--machine", MACHINE, *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err


def test_a_broken_outline_names_its_line(capsys, tmp_path):
    path = tmp_path / "o.csv"
    path.write_text("x_cm,y_cm\n0,0\n1,zero\n")
    assert call(["mu", "--machine", MACHINE, *FIELD, "--outline", str(path)]) == 1
    assert "line 3" in capsys.readouterr().err


def test_a_dicom_plan(capsys, tmp_path):
    # 100 MU through an open A10 at SSD 100: whatever the engine gives is checked against 1.000 cGy/MU
    spec = importlib.util.spec_from_file_location(
        "phantom_study", Path(__file__).parents[3] / "benchmarks" / "phantom_study.py"
    )
    study = importlib.util.module_from_spec(spec)
    sys.modules["phantom_study"] = study
    spec.loader.exec_module(study)
    water = study.Block("water", (-8.0, 8.0), (0.0, 9.0), (-8.0, 8.0))
    made = study.Phantom(blocks=(water,), extent_cm=((-9, 9), (-1, 10), (-9, 9)), voxel_cm=0.5)
    block = tuple((2.0 * np.cos(a), 2.0 * np.sin(a)) for a in np.arange(64) * np.pi / 32)
    beams = [
        study.ElectronBeam(
            energy_mev=12, applicator_id="A10", isocentre_cm=(0.0, 0.0, 0.0), ssd_cm=100.0, mu=100.0, **more
        )
        for more in ({}, {"block_cm": block})
    ]
    study.write_plan(tmp_path / "rp.dcm", made, beams, fractions=5)
    first, second = answer(capsys, "--plan", tmp_path / "rp.dcm")["beams"]
    assert first["engine_mu"] == 100.0
    assert first["tg71_mu"] == pytest.approx(100.14, abs=0.5)
    assert second["worksheet"]["factors"][2]["source"] == "interpolated"
    assert second["equivalent_ellipse_cm"] == pytest.approx([4.0, 4.0], abs=0.03)
