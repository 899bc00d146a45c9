"""Small values to build on."""

import numpy as np
import pytest

from ert.domain.image import CtCurve, CtCurvePoint
from ert.domain.plan import Plan, Prescription
from ert.domain.structure import Contour, Structure


@pytest.fixture
def plan_factory():
    def make(**changes):
        curve = CtCurve(
            name="test",
            points=(
                CtCurvePoint(hu=-1000, density_g_cm3=0.0012, relative_stopping=0.0011, relative_scattering=0.0011),
                CtCurvePoint(hu=0, density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0),
            ),
        )
        fields = {
            "id": "plan",
            "course_id": "course",
            "name": "Plan 1",
            "image_id": "image",
            "structure_set_id": "structures",
            "external_number": 1,
            "prescription": Prescription(target_number=2, dose_gy=50.0, fractions=25),
            "ct_curve": curve,
        }
        return Plan(**(fields | changes))

    return make


@pytest.fixture
def structure_factory():
    def make(number, role):
        square = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0)], dtype=float)
        return Structure(number=number, name=f"S{number}", role=role, contours=(Contour(points_cm=square),))

    return make
