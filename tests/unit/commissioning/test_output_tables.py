"""Output tables are what was measured, and effective distances follow from it."""

import shutil

import attrs
import numpy as np
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.output_tables import output_tables
from ert.commissioning.package import package_bytes, package_from_bytes, read_package
from ert.errors import InvalidBeamData
from ert.settings import resources_dir

HOME = resources_dir() / "demo_machine"
ENTRY = '\n[[file]]\npath = "12MeV/inserts.csv"\nkind = "cutout_factors"\nenergy_mev = 12\n'
HEAD = "applicator,ssd_cm,width_cm,length_cm,cutout_factor,relative_sigma\n"


@pytest.fixture(scope="module")
def package():
    return read_package(HOME / "package")


def test_the_demo_package_holds_the_tables_of_its_beam_data(package):
    data = read_beam_data(HOME / "beam_data")

    def model(energy):
        return package.model(energy.energy_mev)

    made = tuple(
        output_tables(
            data, e, surface_energy_mev=model(e).surface_energy_mev, practical_range_cm=model(e).practical_range_cm
        )
        for e in data.energies
    )
    for new, kept in zip(made, package.output_tables, strict=True):
        assert new.outputs == kept.outputs
        for a, b in zip(new.depth_doses, kept.depth_doses, strict=True):
            assert (a.field, a.ssd_cm) == (b.field, b.ssd_cm)
            assert a.percent_depth_dose == pytest.approx(
                b.percent_depth_dose, abs=0.002
            )  # other processors round otherwise
        for c, d in zip(new.effective_ssds, kept.effective_ssds, strict=True):
            assert c.effective_ssd_cm == pytest.approx(d.effective_ssd_cm, rel=1e-9)
    assert package_from_bytes(package_bytes(package)).output_tables == package.output_tables


def test_effective_distance_of_the_open_field_by_hand(package):
    # 12 MeV: √(1 / 0.81428) = 1.108193 over 10 cm: slope 0.0108193, 92.428 cm less the maximum's 2.744 cm: 89.68 cm.
    # σ: ratio √(.00442² + .00575²) = 0.7253 %, of the root half: 0.40189 %, of the slope / 10 cm; × 92.428² = 3.43 cm
    (found,) = package.tables(12.0).effective_ssds
    assert found.effective_ssd_cm == pytest.approx(89.68, abs=0.02)
    assert found.sigma_cm == pytest.approx(3.43, abs=0.02)


def test_depth_doses_end_in_a_hundred_and_keep_the_measured_depths(package):
    for table in package.output_tables:
        summary = package.model(table.energy_mev).summary
        for curve in table.depth_doses:
            assert curve.percent_depth_dose.max() == 100.0
        whole = next(c for c in table.depth_doses if c.field.name == "A10 open" and c.ssd_cm == 100.0)
        beyond = whole.depth_cm > summary.depth_of_maximum_cm
        r50 = np.interp(-50.0, -whole.percent_depth_dose[beyond], whole.depth_cm[beyond])
        assert r50 == pytest.approx(summary.r50_cm, abs=0.03)


def test_outputs_of_another_calibration_are_refused():
    data = read_beam_data(HOME / "beam_data", energies_mev=[12.0])
    (energy,) = data.energies
    with pytest.raises(InvalidBeamData, match="12 MeV: the reference field A10 open SSD 100 has an output of 1 cGy/MU"):
        output_tables(
            attrs.evolve(data, reference_cgy_per_mu=0.5), energy, surface_energy_mev=12.0, practical_range_cm=6.0
        )


def folder_with(tmp_path, rows):
    folder = tmp_path / "data"
    shutil.copytree(HOME / "beam_data", folder)
    with (folder / "beam_data.toml").open("a") as file:
        file.write(ENTRY)
    (folder / "12MeV" / "inserts.csv").write_text(HEAD + rows)
    return folder


def test_measured_inserts_are_read(tmp_path):
    folder = folder_with(tmp_path, "A10,100,3.15,6.83,0.949,0.005\nA15,100,5,9,0.99,0.004\n")
    (energy,) = read_beam_data(folder, energies_mev=[12.0]).energies
    assert [(i.applicator_id, i.width_cm, i.length_cm, i.cutout_factor) for i in energy.inserts] == [
        ("A10", 3.15, 6.83, 0.949),
        ("A15", 5.0, 9.0, 0.99),
    ]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("A99,100,3,6,0.9,0.01", "line 2: applicator 'A99' is not listed"),
        ("A10,100,6,3,0.9,0.01", "line 2: width and length"),
        ("A10,100,12,13,0.9,0.01", "line 2: width and length"),
        ("A10,100,3,6,94.9,0.01", "line 2: 94.9 is no cutout factor"),
    ],
)
def test_inserts_that_cannot_be_are_refused_by_line(tmp_path, row, sentence):
    with pytest.raises(InvalidBeamData, match=sentence):
        read_beam_data(folder_with(tmp_path, row + "\n"), energies_mev=[12.0])
