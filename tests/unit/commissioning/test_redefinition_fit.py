"""The fit of redefinition: electrons whose build-up alone is another are not carried once more; fields side by side."""

import attrs
import numpy as np
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.package import read_package
from ert.commissioning.redefinition_fit import NAMES, SPREAD, RedefinitionObjective
from ert.dose.redefinition import Carrying
from ert.dose.redefinition_fan import middle_spectra
from ert.errors import Cancelled
from ert.settings import resources_dir


def small_objective():
    """Of 6 MeV, with the two smallest cutouts beside the reference field."""
    demo = resources_dir() / "demo_machine"
    data = read_beam_data(demo / "beam_data", energies_mev=[6.0])
    objective = RedefinitionObjective(data, data.energies[0], read_package(demo / "package").model(6.0))
    smallest = sorted(objective._fields[1:], key=lambda m: m.field.width_cm * m.field.height_cm)
    objective._fields = [objective._fields[0], *smallest[:2]]
    return objective


def test_residuals_do_not_depend_on_what_was_computed_before():
    """Of another build-up after the same electrons, and on its own: the same bytes, and other than before."""
    demo = resources_dir() / "demo_machine"
    data = read_beam_data(demo / "beam_data", energies_mev=[6.0])
    model = read_package(demo / "package").model(6.0)
    found = []
    for is_warm in (True, False):
        objective = RedefinitionObjective(data, data.energies[0], model)
        objective._fields = objective._fields[:1]
        moved = objective.start + 0.009 * (np.array(NAMES) == "buildup_frac")
        if is_warm:
            found.append(objective.closed(objective.start)[1])
        found.append(objective.closed(moved)[1])
    start, warm, cold = found
    assert warm.tobytes() == cold.tobytes()
    assert np.abs(warm - start).max() > 0.01


def test_electrons_of_a_field_whose_opening_is_at_hand_are_those_of_one_that_looks_again():
    """With another model of the electrons, as the fit changes it; the same bytes."""
    demo = resources_dir() / "demo_machine"
    data = read_beam_data(demo / "beam_data", energies_mev=[6.0])
    model = read_package(demo / "package").model(6.0)
    objective = RedefinitionObjective(data, data.energies[0], model)
    kept = min(objective._fields, key=lambda m: m.field.width_cm * m.field.height_cm).made
    turned = attrs.evolve(objective._first, core_angle_rad=0.07, edge_per_cm=0.1, peak_energy_mev=5.5)
    changed = attrs.evolve(kept, model=attrs.evolve(model, redefinition=turned))
    afresh = attrs.evolve(changed, moments=None).electrons_at(100.0)
    assert changed.electrons_at(100.0).sums.tobytes() == afresh.sums.tobytes()
    assert kept.electrons_at(100.0).sums.tobytes() != afresh.sums.tobytes()


def test_vectors_that_are_carried_side_by_side_have_the_residuals_that_each_has_on_its_own():
    together, start = small_objective(), small_objective().start
    moved = start + np.diag(0.1 * SPREAD)[[4, 3, 8]]
    together.carry([start, *moved])
    found = [together.closed(vector)[1].tobytes() for vector in moved]
    assert len(set(found)) == 3
    assert found == [small_objective().closed(vector)[1].tobytes() for vector in moved]


def test_cancelling_ends_what_is_carried():
    objective, asked = small_objective(), []

    def check():
        asked.append(len(asked))
        if len(asked) > 2:
            raise Cancelled("as asked")

    with pytest.raises(Cancelled):
        objective.carry([objective.start * (1.0 + 0.001 * n) for n in range(200)], check)
    assert len(asked) == 3


def test_spectra_of_a_quarter_of_a_field_are_those_of_the_whole():
    """To rounding."""
    objective = small_objective()
    made = objective._fields[1].made
    wanted, found = (
        middle_spectra(made, ssd_cm=100.0, depth_cm=4.0, node_mev=objective._first.node_mev, carrying=carrying)
        for carrying in (Carrying.WHOLE, Carrying.QUARTER)
    )
    assert wanted.max() > 0.1
    assert np.abs(found - wanted).max() < 1e-11 * wanted.max()
