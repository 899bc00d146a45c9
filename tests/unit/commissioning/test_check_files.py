"""Phantom checks of a beam data folder: what is read, what is refused and how it is said."""

import shutil

import numpy as np
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.errors import InvalidBeamData
from ert.settings import resources_dir

DEMO = resources_dir() / "demo_machine" / "beam_data"
LINE = "12MeV/check_bone_bar_x_behind.csv"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(DEMO, tmp_path / "beam_data")


def change(folder, old, new, name="beam_data.toml"):
    text = (folder / name).read_text(encoding="utf-8")
    assert text.count(old) >= 1
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")


def read(folder):
    (energy,) = read_beam_data(folder, energies_mev=[12.0]).energies
    return energy


def test_a_check_is_read_with_its_phantom_and_lines(folder):
    (check,) = read(folder).checks
    assert (check.name, check.kind, check.incidence_deg) == ("Bone bar", "heterogeneous", 0.0)
    assert check.field.name == "A10 open SSD 100"
    (block,) = check.blocks
    assert (block.material.name, block.x_cm, block.y_cm, block.depth_cm) == (
        "compact bone", (-1.0, 1.0), (-5.0, 5.0), (1.0, 3.0),
    )  # fmt: skip
    assert [line.along for line in check.lines] == ["depth", "depth", "x"]
    assert check.lines[2].name == "along x at y 0, depth 3.5 cm"
    columns = np.loadtxt(folder / LINE, delimiter=",", skiprows=1, unpack=True)
    assert np.array_equal(check.lines[2].position_cm, columns[0])
    assert np.array_equal(check.lines[2].dose, columns[3])


def test_the_fit_sees_the_same_measurements_with_and_without_checks(folder):
    with_checks = read(folder)
    text = (folder / "beam_data.toml").read_text(encoding="utf-8")
    (folder / "beam_data.toml").write_text(text[: text.index("[[check]]")], encoding="utf-8")
    without = read(folder)
    assert without.checks == ()
    assert [c.name for c in with_checks.curves] == [c.name for c in without.curves]
    assert with_checks.missing == without.missing == ()


def test_a_line_that_is_not_there_is_named_and_the_others_are_kept(folder):
    (folder / LINE).unlink()
    energy = read(folder)
    assert energy.missing == (f"{LINE} (check 'Bone bar') is listed but not there",)
    assert [line.along for line in energy.checks[0].lines] == ["depth", "depth"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "heterogeneous"', 'kind = "hetero"', "kind 'hetero' is not known"),
        ('material = "compact bone"', 'material = "adamantium"', "There is no material 'adamantium'"),
        ("depth_cm = [1.0, 3.0]", "depth_cm = [3.0, 1.0]", "'depth_cm' must be [low, high]"),
        ("incidence_deg = 0.0", "incidence_deg = 75.0", "'incidence_deg' is 75.0"),
        ("incidence_deg = 0.0", "gantry = 0.0", "'gantry' is not known"),
        ('lines = ["12MeV', 'lines = ["../12MeV', "lies outside the folder"),
        ('name = "Bone bar"\n', "", "'name' must be a text"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(folder, old, new, said):
    change(folder, old, new)
    with pytest.raises(InvalidBeamData) as refusal:
        read(folder)
    assert said in refusal.value.sentence
    assert "[[check]]" in refusal.value.sentence


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",0,3.5,", ",0,3.5x,", "is no usable number"),
        ("depth_cm", "z_cm", "column 'depth_cm' is missing"),
        ("-8.875,0,3.5", "-8.875,0,3.6", "one coordinate runs, here x and depth"),
    ],
)
def test_a_wrong_line_is_refused_with_file_and_reason(folder, old, new, said):
    change(folder, old, new, LINE)
    with pytest.raises(InvalidBeamData) as refusal:
        read(folder)
    assert said in refusal.value.sentence
    assert LINE in refusal.value.sentence
