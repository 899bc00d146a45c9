"""``ert curve``: from a CSV file into a site and back, with the credentials rules of the other verbs."""

from __future__ import annotations

import json
import os

import pytest

from ert.cli.main import call
from ert.settings import resources_dir
from tests.integration.storage import samples

DEFAULT = resources_dir() / "tables" / "ct_curve_default.csv"


class Wiring:
    def gateway(self):
        return samples.sites()


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))
    site = samples.copied_site(tmp_path / "site")

    def call_it(*arguments, password=samples.PASSWORD):
        read, write = os.pipe()
        os.write(write, password.encode() + b"\n")
        os.close(write)
        try:
            given = ["--site", str(site), "--user", samples.LOGIN, "--password-fd", str(read)]
            code = call(["curve", *arguments, *given], Wiring())
        finally:
            os.close(read)
        out, err = capsys.readouterr()
        assert password not in out + err
        return code, out, err

    return call_it


ADD = ("--name", "Room 2", "--scanner", "Big bore", "--kvp", "120", "--date", "2026-01-05")


def test_a_curve_goes_in_gets_a_version_comes_out_and_is_withdrawn(run, tmp_path):
    code, out, _ = run("add", str(DEFAULT), *ADD, "--note", "phantom 062M", "--json")
    added = json.loads(out)
    assert code == 0
    assert (added["name"], added["version"], added["author"], added["warnings"]) == ("Room 2", 1, samples.LOGIN, [])
    text = DEFAULT.read_text(encoding="utf-8").replace("1146,1.85,", "1146,1.86,")
    (tmp_path / "new.csv").write_text(text, encoding="utf-8")
    assert run("add", str(tmp_path / "new.csv"), *ADD)[0] == 1  # not without saying that it is a new version
    assert run("add", str(tmp_path / "new.csv"), *ADD, "--new-version")[0] == 0
    code, out, _ = run("show", "room 2", "--json")
    shown = json.loads(out)
    assert (code, shown["version"], shown["points"][8]["density_g_cm3"]) == (0, 2, 1.86)
    assert json.loads(run("show", "Room 2", "--revision", "1", "--json")[1])["points"][8]["density_g_cm3"] == 1.85
    assert run("export", "Room 2", "--revision", "1", "--out", str(tmp_path / "out.csv"))[0] == 0
    written = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert written[0].split(",") == [
        "HU", "mass_density_g_cm3", "rel_linear_collision_stopping_power", "rel_linear_scattering_power",
    ]  # fmt: skip
    assert written[4].split(",") == ["-73", "0.95", "0.958", "0.823"]
    assert run("export", "Room 2", "--out", str(tmp_path / "out.csv"))[0] == 1
    assert run("withdraw", "Room 2", "--reason", "new tube")[0] == 0
    (listed,) = json.loads(run("list", "--json")[1])["curves"]
    assert (listed["name"], listed["version"], listed["state"]) == ("Room 2", 3, "withdrawn")
    assert "Room 2" in run("list")[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "nothing"), "no CT curve 'nothing'"),
        (("add", "missing.csv", *ADD), "cannot be read"),
        (("add", str(DEFAULT), *ADD[:-1], "January"), "is no date"),
        (("add", str(DEFAULT), *ADD[:4], "--kvp", "12", *ADD[6:]), "40 to 200 kV"),
        (("add", str(DEFAULT), *ADD, "--new-version"), "no CT curve 'Room 2'"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_code_1(run, arguments, sentence):
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert sentence in err


def test_an_implausible_curve_is_refused_and_not_stored(run, tmp_path):
    text = DEFAULT.read_text(encoding="utf-8").replace("-73,0.95,0.951,0.958,", "-73,0.95,0.951,95.8,")
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
    code, _, err = run("add", str(tmp_path / "bad.csv"), *ADD)
    assert code == 1
    assert "is refused" in err
    assert json.loads(run("list", "--json")[1]) == {"curves": []}


def test_a_wrong_password_opens_nothing(run):
    code, out, err = run("list", password="Wrong-Password-1!")
    assert (code, out) == (1, "")
    assert err


def test_usage_is_code_2(run):
    assert run("add", str(DEFAULT))[0] == 2
