"""Beam data in other units, or of another energy than they are called, are refused with what to do."""

import re
import shutil

import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.plausible import energy_doubt
from ert.errors import InvalidBeamData
from ert.settings import resources_dir

DEMO = resources_dir() / "demo_machine" / "beam_data"
DEPTH_DOSE, PROFILE = "12MeV/depth_dose_10x10_open_ssd100.csv", "12MeV/profile_x_10x10_open_ssd100.csv"
INDEX = "beam_data.toml"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(DEMO, tmp_path / "data")


def scaled(path, *, first=1.0, rest=1.0):
    """Multiply the first column of a CSV file, and the others."""
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    numbers = [[float(c) for c in row.split(",")] for row in rows]
    lines = [",".join(f"{c * (rest if n else first):.8g}" for n, c in enumerate(row)) for row in numbers]
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


def refused(folder):
    with pytest.raises(InvalidBeamData) as caught:
        read_beam_data(folder, energies_mev=[12.0])
    return caught.value


def test_depths_in_millimetres_are_refused(folder):
    scaled(folder / DEPTH_DOSE, first=10.0)
    error = refused(folder)
    assert DEPTH_DOSE in error.sentence
    assert "depths in cm" in error.hint


def test_positions_in_millimetres_are_refused(folder):
    scaled(folder / PROFILE, first=10.0)
    error = refused(folder)
    assert "0.5 cm: dose falls to one half 51 cm from the axis, the field's edge is at 5.03 cm" in error.sentence
    assert "positions in cm" in error.hint


def test_positions_in_inches_are_refused(folder):
    scaled(folder / PROFILE, first=1.0 / 2.54)
    assert "positions in cm" in refused(folder).hint


def test_profiles_in_percent_are_refused(folder):
    scaled(folder / PROFILE, rest=100.0)
    assert "cGy/MU" in refused(folder).hint


def test_depth_doses_in_percent_under_the_name_of_cgy_are_refused(folder):
    scaled(folder / DEPTH_DOSE, rest=100.0)
    assert "dose_percent" in refused(folder).hint


def test_half_a_profile_passes(folder):
    path = folder / PROFILE
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    half = [row for row in rows if float(row.split(",")[0]) > 0]
    path.write_text("\n".join([head, *half]) + "\n", encoding="utf-8")
    assert read_beam_data(folder, energies_mev=[12.0]).energies[0].curves


def test_a_beam_of_20_mev_called_9_is_refused_and_one_of_12_only_doubted(folder):
    (folder / "machine_configuration.toml").unlink()  # it names the energies as well
    index = folder / INDEX
    text = index.read_text(encoding="utf-8").split("# Phantom checks")[0]
    index.write_text(re.sub(r"(_mev) = 20\b", r"\1 = 9", text), encoding="utf-8")
    with pytest.raises(InvalidBeamData, match="no beam of 9 MeV"):
        read_beam_data(folder, energies_mev=[9.0])
    # R50 of the folder's 12 MeV is 4.908 cm: 2.33 × 4.908 = 11.44 MeV, 27 % above 9, 5 % below 12
    doubt = energy_doubt(9.0, 4.908)
    assert doubt is not None
    assert "about 11.4 MeV" in doubt
    assert energy_doubt(12.0, 4.908) is None


def test_the_order_of_the_index_does_not_matter(folder):
    index = folder / INDEX
    head, *files = re.split(r"\n(?=\[\[file\]\])", index.read_text(encoding="utf-8").split("# Phantom checks")[0])
    before = read_beam_data(DEMO).energies[1]
    index.write_text("\n".join([head, *reversed(files)]), encoding="utf-8")
    after = read_beam_data(folder).energies[1]
    assert [c.name for c in after.curves] == [c.name for c in before.curves]
    assert after.outputs == before.outputs


@pytest.mark.parametrize("written", ["4.0x4", "4 x 4", "4X4", "4\N{MULTIPLICATION SIGN}4"])
def test_one_opening_has_one_name_however_it_is_written(folder, written):
    index = folder / INDEX
    index.write_text(index.read_text(encoding="utf-8").replace('"4x4"', f'"{written}"'), encoding="utf-8")
    fields = {c.field for c in read_beam_data(folder, energies_mev=[12.0]).energies[0].curves}
    assert sorted(f.cutout for f in fields if f.width_cm == 4.0) == ["4x4"]


def test_a_cutout_as_large_as_the_applicator_is_the_open_one(folder):
    index = folder / INDEX
    text = index.read_text(encoding="utf-8").replace('"A10"\ncutout = "open"', '"A10"\ncutout = "10x10"')
    index.write_text(text, encoding="utf-8")
    data = read_beam_data(folder, energies_mev=[12.0])
    assert data.reference.cutout == "open"


def test_another_separator_than_commas_is_named(folder):
    path = folder / DEPTH_DOSE
    path.write_text(path.read_text(encoding="utf-8").replace(",", ";").replace(".", ","), encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(",", "."), encoding="utf-8")
    assert "Separate columns by commas" in refused(folder).hint
