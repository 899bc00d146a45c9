"""What is signed: inputs follow every value a dose depends on and no name, reasons say something."""

from __future__ import annotations

import attrs
import pytest

from ert.domain.approval import approved_beams, checked_reason, inputs_digest, structures_digest
from ert.errors import Refused
from tests.integration.storage import samples


@pytest.fixture
def parts():
    who, ct, contours = samples.patient(), samples.image(), samples.structures()
    return samples.plan_of(samples.course_of(who, ct, contours)), ct, contours


def test_inputs_follow_what_counts_and_no_name(parts):
    plan, ct, contours = parts
    (beam,) = plan.beams

    def digest(plan=plan, ct=ct, contours=contours, requests=("aa",)):
        return inputs_digest(plan, requests, image=ct, structures=contours)

    def with_beam(**changes):
        return attrs.evolve(plan, beams=(attrs.evolve(beam, **changes),))

    ordered = plan.prescription
    moved = attrs.evolve(plan.points[0], position_cm=(9.0, 0.0, 0.0))
    one = contours.structures[0]
    others = [
        digest(requests=("bb",)),
        digest(plan=with_beam(mu=beam.mu + 1)),
        digest(plan=with_beam(weight=beam.weight * 2)),
        digest(plan=attrs.evolve(plan, prescription=attrs.evolve(ordered, dose_gy=ordered.dose_gy + 1))),
        digest(plan=attrs.evolve(plan, prescription=attrs.evolve(ordered, fractions=ordered.fractions + 1))),
        digest(plan=attrs.evolve(plan, points=(moved,))),
        digest(ct=samples.image(2)),
        digest(contours=attrs.evolve(contours, structures=(attrs.evolve(one, contours=()), *contours.structures[1:]))),
    ]
    assert len({digest(), *others}) == 1 + len(others)
    renamed = attrs.evolve(
        contours, structures=tuple(attrs.evolve(s, name="x", colour=(1, 2, 3)) for s in contours.structures)
    )
    assert digest(plan=samples.renamed(plan, "other")) == digest()
    assert digest(plan=with_beam(name="other", colour=(1, 2, 3))) == digest()
    assert digest(contours=renamed) == digest()
    assert structures_digest(renamed) == structures_digest(contours)


def test_a_beam_without_monitor_units_is_not_approved(parts):
    plan = parts[0]
    bare = attrs.evolve(plan, beams=(attrs.evolve(plan.beams[0], mu=None),))
    with pytest.raises(Refused, match="no monitor units"):
        approved_beams(bare, (samples.dose(),), ("",))


def test_a_reason_says_something():
    assert checked_reason("  The patient  lost weight ") == "The patient lost weight"
    for text in ("", "no", "x" * 1001):
        with pytest.raises(Refused):
            checked_reason(text)
