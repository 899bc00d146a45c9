"""The virtual linac of the benchmarks: sources between the commissioned ones, and what it writes is read back."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.package import read_package
from ert.settings import resources_dir

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def package():
    return read_package(resources_dir() / "demo_machine" / "package")


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("virtual_linac")
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_at_a_commissioned_energy_the_source_is_its_own(tool, package):
    made, own = tool.source_at(package, 12.0), package.model(12.0).monte_carlo
    assert made.spectrum_edges_mev == pytest.approx(own.spectrum_edges_mev)
    assert made.spectrum_share == pytest.approx(own.spectrum_share)
    for name in ("core_angle_rad", "virtual_sad_cm", "photons_per_electron", "wide_frac"):
        assert getattr(made, name) == pytest.approx(getattr(own, name))


def test_between_and_beyond_the_energies_spread_falls_and_photons_rise(tool, package):
    sources = [tool.source_at(package, e) for e in (4.0, 6.0, 9.0, 12.0, 16.0, 20.0, 22.0)]
    assert np.all(np.diff([s.core_angle_rad for s in sources]) < 0)
    assert np.all(np.diff([s.photons_per_electron for s in sources]) > 0)
    # 9 MeV: 1/9 lies a third of the way from 1/6 to 1/12: (1/6 − 1/9) / (1/6 − 1/12) = 2/3
    six, twelve = (package.model(e).monte_carlo.core_angle_rad for e in (6.0, 12.0))
    assert sources[2].core_angle_rad == pytest.approx(six + (twelve - six) * 2.0 / 3.0)


def test_the_folder_it_writes_is_beam_data(tool, package, tmp_path, monkeypatch):
    monkeypatch.setattr("virtual_linac_data.AIR_HISTORIES", 1_000)
    # a beam that is flat across and falls in depth stands for the doses
    fields = []
    for field in tool.MEASURED[:2]:
        case = tool.water_case(9.0, field)
        (wide, _, deep), side = case["extent_cm"], case["voxel_cm"][0]
        edges = np.arange(round(2 * wide / side) + 1) * side - wide
        z = np.arange(round(deep / 0.2) + 1) * 0.2
        depth, across = 0.5 * (z[1:] + z[:-1]), 0.5 * (edges[1:] + edges[:-1])
        flat = 0.5 * (1.0 - np.tanh((np.abs(across) - 0.5 * field[1]) / 0.3))
        line = 0.5 * (1.0 - np.tanh((depth - 3.6) / 0.5)) + 0.01
        dose = line[:, None, None] * flat[None, :, None] * flat[None, None, :] + 1e-3
        doses = {"dose": dose, "sigma": 0.01 * dose, "copies": np.array(8.0), "x": edges, "y": edges, "z": z}
        fields.append((case, doses))
    reference, _ = tool.quantities(fields[0][1], 10.0)
    source = tool.source_at(package, 9.0)
    tool.write_beam_data(tmp_path, package, {9.0: (source, fields, 1.0 / reference.maximum)})
    (energy,) = read_beam_data(tmp_path).energies
    assert energy.missing == ()
    assert [o.field.ssd_cm for o in energy.outputs] == [100.0, 110.0]
    assert energy.outputs[0].cgy_per_mu == pytest.approx(1.0, abs=1e-4)
    assert {a.distance_cm for a in energy.air_profiles} == {95.1, 100.0, 105.0, 110.0}
    curve = next(c for c in energy.curves if c.kind == "depth_dose")
    # the line falls to one half of its maximum at 3.6 cm
    assert np.interp(-0.5, -curve.dose, curve.position_cm) == pytest.approx(3.6, abs=0.05)
