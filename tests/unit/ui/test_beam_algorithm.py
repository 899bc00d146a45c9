"""The row of the beam table that gives a beam an engine of its own."""

from types import SimpleNamespace

import attrs

from ert.domain.algorithm import Algorithm
from ert.domain.beam import Beam
from ert.domain.device import Aperture
from ert.ui import beam_edits


def test_a_beam_follows_the_plan_until_it_is_given_an_engine_and_again_after_that():
    beam = Beam(
        number=1, name="A", machine_name="M", energy_mev=9.0, applicator_id="A10", model_digest="0", gantry_deg=0.0,
        isocentre_cm=(0.0, 0.0, 0.0), aperture=Aperture(outline_cm=((0, 0), (1, 0), (0, 1))),
    )  # fmt: skip

    class Plan(SimpleNamespace):
        def algorithm_of(self, asked):
            return asked.algorithm or self.algorithm

    workspace = SimpleNamespace(plan=Plan(algorithm=Algorithm.PBRA))
    assert beam_edits.algorithm_shown(workspace, beam) == "(Redefinition (PBRA))"
    choices = beam_edits.algorithm_choices(workspace, beam)
    assert choices == ["Redefinition (PBRA) (plan's)", "Pencil beam", "Redefinition (PBRA)", "Monte Carlo"]
    assert beam_edits.algorithm_text(workspace, beam) == choices[0]
    own = beam_edits.with_algorithm_named(workspace, beam, "Monte Carlo")
    assert own.algorithm is Algorithm.MONTE_CARLO
    assert beam_edits.algorithm_shown(workspace, own) == beam_edits.algorithm_text(workspace, own) == "Monte Carlo"
    assert beam_edits.with_algorithm_named(workspace, own, choices[0]) == attrs.evolve(own, algorithm=None)
