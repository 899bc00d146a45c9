"""What a site's machine packages allow."""

import attrs

from ert.app.dose_service import Models
from ert.domain.algorithm import Algorithm
from tests.unit.dose.beams import demo


def without_redefinition(package, energy_mev):
    models = tuple(attrs.evolve(m, redefinition=None) if m.energy_mev == energy_mev else m for m in package.models)
    return attrs.evolve(package, models=models)


def test_a_new_plan_is_computed_by_redefinition_if_every_energy_was_commissioned_for_it():
    old = without_redefinition(demo(), 12.0)
    other = attrs.evolve(old, machine=attrs.evolve(old.machine, name="Other linac"))
    assert Models((demo(),)).planning_algorithm is Algorithm.PBRA
    assert Models((old,)).planning_algorithm is Algorithm.PENCIL_BEAM
    assert Models((demo(), other)).planning_algorithm is Algorithm.PENCIL_BEAM
    assert Models((old, demo())).planning_algorithm is Algorithm.PBRA  # commissioned again
    assert Models(()).planning_algorithm is Algorithm.PBRA
