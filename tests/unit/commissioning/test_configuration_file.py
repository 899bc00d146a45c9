"""A configuration written by a person: read as written, or refused with the place."""

import shutil

import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.configuration_file import CONFIGURATION_NAME, read_configuration
from ert.domain.angle_scale import AngleScale
from ert.domain.machine_configuration import AngleRange, JawSetting, MachineConfiguration
from ert.errors import InvalidBeamData
from ert.settings import resources_dir

DATA = resources_dir() / "demo_machine" / "beam_data"


def written(tmp_path, text):
    path = tmp_path / CONFIGURATION_NAME
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_left_out_has_its_default(tmp_path):
    text = """
format = 1
scale = "Elekta native"
couch = { from_deg = -95, to_deg = 95 }
max_mu = 500
[[jaws]]
applicator_id = "A10"
x1_cm = -10
x2_cm = 10.5
y1_cm = -10
y2_cm = 10
"""
    jaws = JawSetting(applicator_id="A10", x1_cm=-10.0, x2_cm=10.5, y1_cm=-10.0, y2_cm=10.0)
    assert read_configuration(written(tmp_path, text)) == MachineConfiguration(
        scale=AngleScale.ELEKTA_NATIVE, couch=AngleRange(from_deg=-95.0, to_deg=95.0), max_mu=500.0, jaws=(jaws,)
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scale = 'IEC 61217'", "format is None"),
        ("format = 2", "format is 2"),
        ("format = ", "cannot be read"),
        ("format = 1\nscale = 'Siemens'", "Siemens"),
        ("format = 1\ncolour = 'red'", "colour"),
        ("format = 1\nmax_mu = '500'", "no number"),
        ("format = 1\nmanufacturer = 5", "no text"),
        ("format = 1\nhas_symmetric_jaws = 1", "true or false"),
        ("format = 1\nmax_mu = nan", "makes no sense"),
        ("format = 1\ncouch = { from_deg = 95, to_deg = -95 }", "no range of angles"),
        ("format = 1\nhead = { radius_cm = 30 }", "face_distance_cm"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path, text, words):
    with pytest.raises(InvalidBeamData, match=words):
        read_configuration(written(tmp_path, text))


def test_action_levels_are_read_with_whose_they_are(tmp_path):
    text = 'format = 1\n[mu_levels]\naction_pct = 4\nsource = "Department policy 12"\n'
    levels = read_configuration(written(tmp_path, text)).mu_levels
    assert (levels.action_pct, levels.investigate_pct, levels.source) == (4.0, 3.0, "Department policy 12")
    with pytest.raises(InvalidBeamData, match="source of their own"):
        read_configuration(written(tmp_path, "format = 1\n[mu_levels]\naction_pct = 4\n"))


def test_a_beam_data_folder_brings_its_configuration_for_the_energies_that_are_read(tmp_path):
    machine = read_beam_data(DATA, energies_mev=[12.0]).machine
    assert machine.configuration.couch == AngleRange(from_deg=-95.0, to_deg=95.0)
    assert {j.energy_mev for j in machine.configuration.jaws} == {12.0}
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    path = folder / CONFIGURATION_NAME
    path.write_text(path.read_text(encoding="utf-8").replace("energy_mev = 20", "energy_mev = 21"), encoding="utf-8")
    with pytest.raises(InvalidBeamData, match="21 MeV"):
        read_beam_data(folder, energies_mev=[12.0])
    path.unlink()
    assert read_beam_data(folder, energies_mev=[12.0]).machine.configuration == MachineConfiguration()


def test_an_applicator_without_any_of_its_energies_left_is_switched_off(tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    path = folder / CONFIGURATION_NAME
    text = path.read_text(encoding="utf-8").replace(
        'id = "A06"\nwidth_cm', 'id = "A06"\nenergies_mev = [6, 20]\nwidth_cm'
    )
    path.write_text(text, encoding="utf-8")
    setting = read_beam_data(folder, energies_mev=[12.0]).machine.configuration.applicator("A06")
    assert (setting.is_available, setting.energies_mev) == (False, ())
    setting = read_beam_data(folder, energies_mev=[6.0, 12.0]).machine.configuration.applicator("A06")
    assert (setting.is_available, setting.energies_mev) == (True, (6.0,))
