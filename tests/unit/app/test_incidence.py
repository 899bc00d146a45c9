"""Oblique beams are told; straight ones and beams without an angle are not."""

from types import SimpleNamespace

import pytest

from ert.app.incidence import incidence_findings, incidence_sentence
from ert.errors import Refused


@pytest.mark.parametrize("angle", [None, 0.0, 29.9, 30.0])
def test_up_to_thirty_degrees_nothing_is_said(angle):
    assert incidence_sentence(angle) is None


def test_beyond_it_the_angle_is_named():
    assert incidence_sentence(41.6).startswith("The axis meets the skin at 42° from its normal")


def test_each_oblique_beam_has_its_finding_and_a_refused_angle_none():
    def angle(beam):
        if beam.name == "lost":
            raise Refused("The external contour is empty.")
        return {"straight": 3.0, "oblique": 55.0}[beam.name]

    beams = tuple(SimpleNamespace(name=name) for name in ("straight", "lost", "oblique"))
    (found,) = incidence_findings(beams, angle)
    assert (found.code, found.subject, found.severity) == ("oblique", "oblique", "warning")
    assert "55°" in found.sentence
