"""Exit codes and what is told how."""

import json

import pytest

from ert import logs
from ert.app import dicom_dose
from ert.cli.main import call
from ert.errors import Cancelled, InvalidPlan

NAME = "Quisling^Amalie"
DOSE = ["dose", "--ct", "c", "--structures", "s", "--plan", "p", "--machine", "m", "--out", "o"]


@pytest.fixture(autouse=True)
def log_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))
    return tmp_path / "log"


def test_the_version_is_shown(capsys):
    assert call(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ert 0.")


def test_help_names_every_verb(capsys):
    assert call(["--help"]) == 0
    text = capsys.readouterr().out
    for verb in ("demo", "import", "list", "dose", "commission", "export", "site", "check", "gui", "machine"):
        assert verb in text


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["dose"], [*DOSE, "--algorithm", "guess"], [*DOSE, "--grid-cm", "wide"], ["list"], ["--nonsense"]],
)
def test_wrong_usage_is_2_and_told_on_stderr(arguments, capsys):
    assert call(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.strip()


def test_a_refusal_is_1_with_one_sentence(capsys):
    assert call(DOSE) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "ert: 'm' holds no machine package. Choose a folder with a machine_package.json.\n"


def test_a_refusal_as_json_is_one_object(capsys):
    assert call([*DOSE, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["error"]["code"] == "ERT-160"


def test_an_unknown_engine_is_wrong_usage(capsys):
    assert call([*DOSE, "--algorithm", "collapsed-cone"]) == 2
    assert "is not one of 'pencil-beam', 'pbra', 'monte-carlo'" in capsys.readouterr().err


def test_a_fault_is_3_with_a_code_that_is_in_the_log_and_no_patient_data(monkeypatch, capsys, log_folder):
    def break_down(_job, _ctx):
        raise RuntimeError(NAME)

    monkeypatch.setattr(dicom_dose, "compute_dicom_dose", break_down)
    assert call([*DOSE, "--json"]) == 3
    captured = capsys.readouterr()
    assert NAME not in captured.err + captured.out
    assert "Traceback" not in captured.err
    code = json.loads(captured.out)["error"]["code"]
    assert code in captured.err
    log = (log_folder / "ert.log").read_text(encoding="utf-8")
    assert code in log
    assert "RuntimeError" in log
    assert NAME not in log


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Cancelled("Stopped on request.")])
def test_stopping_is_1(stop, monkeypatch, capsys):
    def stopped(_job, _ctx):
        raise stop

    monkeypatch.setattr(dicom_dose, "compute_dicom_dose", stopped)
    assert call(DOSE) == 1
    assert "nothing was written" in capsys.readouterr().err


def test_a_refusal_keeps_its_sentence_and_hint_together(monkeypatch, capsys):
    def refuse(_job, _ctx):
        raise InvalidPlan("This is wrong.", hint="Do that.")

    monkeypatch.setattr(dicom_dose, "compute_dicom_dose", refuse)
    assert call(DOSE) == 1
    assert capsys.readouterr().err == "ert: This is wrong. Do that.\n"


def test_the_log_is_closed_afterwards():
    call(["--version"])
    import logging

    assert not [h for h in logging.getLogger("ert").handlers if isinstance(h, logging.FileHandler)]
    assert logs.log_folder().name == "log"
