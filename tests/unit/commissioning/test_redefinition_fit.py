"""The fit of redefinition: electrons whose build-up alone is another are not carried once more."""

import attrs
import numpy as np

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.package import read_package
from ert.commissioning.redefinition_fit import NAMES, RedefinitionObjective
from ert.settings import resources_dir


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
