"""Two dose requests have one name exactly if everything the dose is made of is the same, to the last bit; at random."""

from __future__ import annotations

import math

import attrs
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ert.app.dose_service import DoseService, Models
from ert.domain import identity
from ert.domain.plan import DoseGridSpec
from tests.unit.app import test_dose_request as cases

CASES = 2000
REACHES = ("gantry_deg", "collimator_deg", "couch_deg", "x_cm", "y_cm", "z_cm", "corner_cm", "spacing_cm", "density",
           "stopping", "scattering", "curve_density", "hu", "contour_cm", "sad_cm", "opening_cm")  # fmt: skip
EXAMPLE = dict(zip(REACHES, (10.0, 5.0, 3.0, 0.5, 0.5, 0.5, 4.5, 0.7, 1.0, 1.0, 1.0, 1.1, 0, 0.1, 100.0, 10.2),
                   strict=True))  # fmt: skip
SCREEN = {"name": "a", "mu": 1.0, "weight": 1.0, "colour": (1, 2, 3), "description": "", "dose_gy": 2.0,
          "label": "b", "material": "c", "manufacturer": ""}  # fmt: skip
case = cases.case

angle, length = st.floats(0, 359), st.floats(-3, 3)
positive = st.floats(0.5, 2.0)
dosimetric = st.fixed_dictionaries({
    "gantry_deg": angle, "collimator_deg": angle, "couch_deg": angle, "x_cm": length, "y_cm": length, "z_cm": length,
    "corner_cm": st.floats(4.0, 4.8), "spacing_cm": st.floats(0.5, 1.0), "density": positive, "stopping": positive,
    "scattering": positive, "curve_density": st.floats(1.05, 1.5), "hu": st.integers(-1000, 1000),
    "contour_cm": st.floats(-0.5, 0.5), "sad_cm": st.floats(99, 101), "opening_cm": st.floats(10, 10.5),
})  # fmt: skip
words = st.text(min_size=1, max_size=8).map(lambda text: text.strip() or "x")
shown = st.fixed_dictionaries({
    "name": words, "mu": st.floats(1, 999), "weight": positive, "colour": st.tuples(*[st.integers(0, 255)] * 3),
    "description": st.text(max_size=9), "dose_gy": st.floats(1, 60), "label": words, "material": words,
    "manufacturer": st.text(max_size=9),
})  # fmt: skip


def built(case, of_dose, of_screen):
    """The case with everything replaced."""
    plan, beam, image = case.plan, case.plan.beams[0], case.image
    (first, *corners), opening = beam.aperture.outline_cm, of_dose["opening_cm"]
    outline = ((math.copysign(of_dose["corner_cm"], first[0]), first[1]), *corners)
    beam = attrs.evolve(
        beam, gantry_deg=of_dose["gantry_deg"], collimator_deg=of_dose["collimator_deg"],
        couch_deg=of_dose["couch_deg"], isocentre_cm=(of_dose["x_cm"], of_dose["y_cm"], of_dose["z_cm"]),
        aperture=attrs.evolve(beam.aperture, outline_cm=outline), name=of_screen["name"], mu=of_screen["mu"],
        weight=of_screen["weight"], colour=of_screen["colour"],
    )  # fmt: skip
    override, (low, high) = plan.overrides[0], plan.ct_curve.points
    material = attrs.evolve(
        override.material, density_g_cm3=of_dose["density"], relative_stopping=of_dose["stopping"],
        relative_scattering=of_dose["scattering"], name=of_screen["material"],
    )  # fmt: skip
    curve = attrs.evolve(
        plan.ct_curve, points=(low, attrs.evolve(high, density_g_cm3=of_dose["curve_density"])), name=of_screen["label"]
    )
    plan = attrs.evolve(
        plan, beams=(beam,), overrides=(attrs.evolve(override, material=material),), ct_curve=curve,
        dose_grid=DoseGridSpec(spacing_cm=of_dose["spacing_cm"]), description=of_screen["description"],
        prescription=attrs.evolve(plan.prescription, dose_gy=of_screen["dose_gy"]),
    )  # fmt: skip
    hu = np.array(image.hu)
    hu[0, 0, 0] = of_dose["hu"]
    target = case.structures.structure(2)
    points = np.array(target.contours[0].points_cm)
    points[0, 0] = of_dose["contour_cm"]
    target = attrs.evolve(
        target, contours=(attrs.evolve(target.contours[0], points_cm=points), *target.contours[1:]),
        name=of_screen["name"], colour=of_screen["colour"],
    )  # fmt: skip
    applicator = attrs.evolve(case.package.machine.applicator("A10"), opening_x_cm=opening)
    changed = attrs.evolve(
        case, plan=plan, image=attrs.evolve(image, hu=hu, manufacturer=of_screen["manufacturer"]),
        package=attrs.evolve(case.package, machine=attrs.evolve(case.package.machine, sad_cm=of_dose["sad_cm"])),
    )  # fmt: skip
    changed = cases.with_applicator(changed, applicator)
    changed = cases.with_structures(changed, target)
    return attrs.evolve(changed, structures=attrs.evolve(changed.structures, label=of_screen["label"]))


def nearest(value):
    """The smallest change there is."""
    return value + 1 if isinstance(value, int) else math.nextafter(value, math.inf)


@settings(max_examples=CASES // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(of_dose=dosimetric, screens=st.tuples(shown, shown), field=st.sampled_from((*REACHES, "")))
def test_one_bit_of_one_value_makes_another_dose_and_what_is_shown_none(case, of_dose, screens, field):
    other = {**of_dose, field: nearest(of_dose[field])} if field else of_dose
    here, there = built(case, of_dose, screens[0]), built(case, other, screens[1])
    is_same = here.digest() == there.digest()
    assert is_same is not bool(field)


def request_of(case):
    """The request of the only beam."""
    models = Models([case.package])
    service = DoseService(
        image=case.image, structures=case.structures, models=models, kept=lambda _digest: None, cache=None
    )
    (item,) = service.requests(case.plan)
    return item.request


def test_digests_of_rounded_values_miss_the_smallest_changes(case, monkeypatch):
    """The negative control."""
    exact = identity._canonical
    here = request_of(built(case, EXAMPLE, SCREEN))
    there = [request_of(built(case, {**EXAMPLE, field: nearest(EXAMPLE[field])}, SCREEN)) for field in REACHES]
    assert here.digest not in {other.digest for other in there}
    monkeypatch.setattr(identity, "_canonical", lambda v: exact(round(v, 9) if isinstance(v, float) else v))
    missed = [attrs.evolve(other).digest == attrs.evolve(here).digest for other in there]
    assert sum(missed) >= len(REACHES) // 2
