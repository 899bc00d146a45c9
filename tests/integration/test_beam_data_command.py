"""``ert beam-data`` and ``ert commission`` after it, on scanner files written from the reference beam data."""

import json

import pytest

from ert.cli.main import call
from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.reference import smooth_reference
from ert.settings import resources_dir
from tests.quick_fit import make_fits_quick
from tests.unit.commissioning.scans import writers
from tests.unit.commissioning.scans.beams import depth_dose, in_air, machine_toml, profiles, write

MORE = """[scans]
field_size_is_open_applicator = true
[axes.rfa300]
x = "inline"
y = "crossline"
[axes.omnipro]
inline = "inline"
crossline = "crossline"
[[scan]]
file = "w2cad.asc"
energy_mev = 12
[[scan]]
file = "cut*"
applicator = "A10"
cutout = "4x4"
"""


@pytest.fixture
def scans(tmp_path):
    """Each format holds a part of what was measured."""
    write(
        tmp_path / "scans",
        ptw_mcc=writers.mcc([depth_dose(12), *profiles(12)]),
        air_mcc=writers.mcc(in_air(12), medium="AIR"),
        rfa_asc=writers.rfa300([depth_dose(12, "6x6_open"), *profiles(12, "6x6_open")]),
        w2cad_asc=writers.w2cad([depth_dose(12, "20x20_open"), *profiles(12, "20x20_open")]),
        iba_csv=writers.omnipro([depth_dose(12, ssd=110), *profiles(12, ssd=110)]),
        cut_asc=writers.rfa300([depth_dose(12, "10x10_4x4"), *profiles(12, "10x10_4x4")]),
    )
    (tmp_path / "linac.toml").write_text(machine_toml(more=MORE), encoding="utf-8")
    return tmp_path


def run(folder, *more, scans="scans", out="data"):
    return call(
        ["beam-data", str(folder / scans), "--machine", str(folder / "linac.toml"), "--out", str(folder / out), *more]
    )


def test_scans_become_a_model_with_the_ranges_of_the_original_beam_data(scans, capsys, monkeypatch):
    make_fits_quick(monkeypatch)  # the depths are the pencil beam's
    for name in ("rfa.asc", "w2cad.asc"):  # fewer fields
        (scans / "scans" / name).unlink()
    assert run(scans, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["refused"] == []
    assert len(made["recognised"]) == 21
    assert call(["commission", str(scans / "data"), "--out", str(scans / "package"), "--json"]) == 0
    depths = json.loads(capsys.readouterr().out)["energies"][0]["depths_cm"]
    original = read_beam_data(resources_dir() / "demo_machine" / "beam_data", energies_mev=[12.0])
    expected = smooth_reference(original, original.energies[0]).quantities
    for name, there_cm in (("R50", expected.r50_cm), ("R80", expected.r80_cm), ("Rp", expected.rp_cm)):
        assert depths[name]["computed"] == pytest.approx(there_cm, abs=0.02)
        assert depths[name]["measured"] == pytest.approx(there_cm, abs=0.02)


def test_the_tables_name_what_was_recognised_refused_and_is_missing(scans, capsys):
    write(scans / "scans", photons_mcc=writers.mcc([depth_dose(6)], modality="X"))
    assert run(scans, "--smooth", "--symmetrise") == 0
    told = capsys.readouterr().out
    assert "Recognised for 'Linac 7'" in told
    assert "ptw.mcc 2" in told
    assert "cut.asc 1" in told
    assert "A10 4x4" in told
    assert "12 MeV: R50 of the reference field 4.9" in told
    assert "the beam is 'X', not electrons" in told
    assert "depth dose and output of A15 open" in told
    assert told.splitlines()[-1] == f"Written: {scans / 'data'}"


def test_without_the_reference_nothing_is_written_and_the_table_says_what_is_lacking(scans, capsys):
    (scans / "scans" / "ptw.mcc").unlink()
    assert run(scans) == 1
    told = capsys.readouterr()
    assert "Recognised for" in told.out
    assert "12 MeV lacks the depth dose of A10 open SSD 100 and profiles of A10 open SSD 100" in told.err
    assert sorted(p.name for p in scans.iterdir()) == ["linac.toml", "scans"]


def test_a_refusal_is_one_json_object(scans, capsys):
    (scans / "linac.toml").write_text("format = 1\n", encoding="utf-8")
    assert run(scans, "--json") == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "ERT-160"


def test_a_second_run_overwrites_nothing(scans, capsys):
    assert run(scans) == 0
    before = (scans / "data" / "beam_data.toml").read_bytes()
    assert run(scans, "--smooth") == 1
    assert "exists already" in capsys.readouterr().err
    assert (scans / "data" / "beam_data.toml").read_bytes() == before


@pytest.mark.parametrize("arguments", [["beam-data"], ["beam-data", "x", "--out", "y"], ["beam-data", "x", "--wrong"]])
def test_wrong_usage_has_its_own_exit_code(arguments, capsys):
    assert call(arguments) == 2
    capsys.readouterr()


def test_a_folder_that_is_not_there_is_refused(scans, capsys):
    assert run(scans, scans="nowhere") == 1
    assert "nowhere" in capsys.readouterr().err
