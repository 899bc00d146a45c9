"""What screens and reports say of a plan: a sentence for every choice, true of what normalising does."""

import attrs
import pytest

from ert.domain.algorithm import Algorithm
from ert.domain.plan import DoseTo, Normalisation, Plan, Prescription
from ert.domain.statements import (
    ALGORITHM_NAMES,
    ALGORITHM_SHORT,
    NORMALISATION_NAMES,
    algorithm_limits,
    algorithm_of_engine,
    algorithm_statement,
    normalisation_sentence,
)
from ert.domain.structure import PointOfInterest, StructureRole, StructureSet

# Of `ert.app.normalise`, whose numbers are tested against AAPM TG-71 by hand.
SENTENCES = {
    Normalisation.ISODOSE: "50.00 Gy is 85 % of the given dose: each field's maximum in water at its SSD, summed over "
    "all beams.",
    Normalisation.MAXIMUM: "50.00 Gy is 85 % of the plan's maximum dose in the patient.",
    Normalisation.D95: "95 % of the volume of S2 receives at least 50.00 Gy.",
    Normalisation.POINT: "Point 'Ref 1' receives 50.00 Gy.",
    Normalisation.FIXED_MU: "Monitor units are as entered; nothing is scaled to 50.00 Gy.",
}


@pytest.mark.parametrize("normalisation", Normalisation)
def test_every_normalisation_has_its_own_sentence_and_name(plan_factory, structure_factory, normalisation):
    point = PointOfInterest(name="Ref 1", position_cm=(0.0, 0.0, 0.0))
    prescription = Prescription(
        target_number=2, dose_gy=50.0, fractions=25, normalisation=normalisation, percent=85.0, point_id=point.id
    )
    plan: Plan = plan_factory(points=(point,), prescription=prescription)
    structures = StructureSet(
        label="S",
        frame_of_reference_uid="1",
        sop_instance_uid="2",
        structures=(structure_factory(2, StructureRole.PTV),),
    )
    structures = attrs.evolve(
        structures, structures=tuple(attrs.evolve(s, name=f"S{s.number}") for s in structures.structures)
    )
    assert normalisation_sentence(plan, structures) == SENTENCES[normalisation]
    assert NORMALISATION_NAMES[normalisation]


def test_names_of_normalisations_differ():
    assert len(set(NORMALISATION_NAMES.values())) == len(Normalisation)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_every_algorithm_says_how_far_to_trust_it(algorithm):
    assert algorithm_statement(algorithm).startswith(f"{ALGORITHM_NAMES[algorithm]}: ")
    assert algorithm_limits(algorithm).startswith(algorithm_statement(algorithm))
    assert ALGORITHM_SHORT[algorithm].startswith(ALGORITHM_NAMES[algorithm])


def test_the_pencil_beam_is_called_an_estimate():
    sentence = "Pencil beam: an estimate. Behind and beside bone, air and bolus steps it may err by 5–15 %."
    assert algorithm_statement(algorithm_of_engine("pencil-beam 7")) == sentence


def test_text_that_looks_like_a_choice_becomes_that_choice(plan_factory):
    given = Prescription(target_number=2, dose_gy=50.0, fractions=25, normalisation="MAXIMUM")  # type: ignore[arg-type]
    assert given.normalisation is Normalisation.MAXIMUM
    plan = plan_factory(dose_to="WATER", algorithm="pencil-beam")
    assert plan.dose_to is DoseTo.WATER
    assert plan.algorithm is Algorithm.PENCIL_BEAM
    with pytest.raises(ValueError, match="SOMETHING"):
        Prescription(target_number=2, dose_gy=50.0, fractions=25, normalisation="SOMETHING")  # type: ignore[arg-type]
