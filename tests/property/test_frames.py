"""Frames invert, keep distances and handedness, for any angles and positions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ert.geometry.frames import PATIENT_POSITIONS, BeamFrame

angle = st.floats(0, 360, exclude_max=True)
length = st.floats(-50, 50)
point = st.tuples(length, length, length)
frames = st.builds(
    BeamFrame,
    isocentre_cm=point,
    gantry_deg=angle,
    collimator_deg=angle,
    couch_deg=angle,
    patient_position=st.sampled_from(sorted(PATIENT_POSITIONS)),
    sad_cm=st.just(100.0),
)


@given(frame=frames, position=point)
def test_to_bev_and_back(frame, position):
    assert np.allclose(frame.to_patient(frame.to_bev(position)), position, atol=1e-9)


@given(frame=frames)
def test_rotation_is_proper(frame):
    assert np.allclose(frame.rotation @ frame.rotation.T, np.eye(3), atol=1e-12)
    assert np.isclose(np.linalg.det(frame.rotation), 1.0)


@given(frame=frames, position=point)
def test_a_point_and_its_projection_lie_on_one_ray_from_the_source(frame, position):
    x, y = frame.project(position)
    ray = np.asarray(position) - frame.source_cm
    to_plane = frame.to_patient((x, y, 0.0)) - frame.source_cm
    assert np.linalg.norm(np.cross(ray, to_plane)) < 1e-7 * np.linalg.norm(ray) * np.linalg.norm(to_plane)


@given(frame=frames, turn=angle)
def test_turning_the_collimator_turns_the_projection_the_other_way(frame, turn):
    import attrs

    turned = attrs.evolve(frame, collimator_deg=frame.collimator_deg + turn)
    world = np.asarray(frame.isocentre_cm) + (3.0, 4.0, 5.0)
    before = complex(*frame.project(world))
    after = complex(*turned.project(world))
    assert np.isclose(after, before * np.exp(-1j * np.radians(turn)), atol=1e-9)
