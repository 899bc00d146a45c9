"""Room scales against hand-written readings.

Varian: the tables of pylinac's `MachineScale` and the test cases of TrajectoryLogReader (gantry 0 is 180 in Varian
Standard, couch 90 is 270 in Varian IEC, X1 = 10 is -10 in IEC). Elekta native: gantry and collimator as pymedphys turns
IEC angles into bipolar ones; the couch's direction as pylinac's ELEKTA_IEC.
"""

import math

import pytest

from ert.domain.angle_scale import AngleAxis, AngleScale, from_room_scale, room_angle_text, to_room_jaws, to_room_scale
from ert.errors import Refused

G, C, T = AngleAxis.GANTRY, AngleAxis.COLLIMATOR, AngleAxis.COUCH
IEC, VI, VS, EN = AngleScale.IEC_61217, AngleScale.VARIAN_IEC, AngleScale.VARIAN_STANDARD, AngleScale.ELEKTA_NATIVE

# IEC 61217 angle, then the room's reading of gantry, collimator, couch
READINGS = {
    IEC: [(0, 0, 0, 0), (90, 90, 90, 90), (180, 180, 180, 180), (270, 270, 270, 270), (359.5, 359.5, 359.5, 359.5)],
    VI: [(0, 0, 0, 0), (90, 90, 90, 270), (180, 180, 180, 180), (270, 270, 270, 90), (10, 10, 10, 350)],
    VS: [(0, 180, 180, 180), (90, 90, 90, 90), (180, 0, 0, 0), (270, 270, 270, 270), (10, 170, 170, 170),
         (350, 190, 190, 190), (181, 359, 359, 359)],
    EN: [(0, 0, 0, 0), (90, 90, 90, -90), (180, 180, 180, 180), (270, -90, -90, 90), (350, -10, -10, 10),
         (181, -179, -179, 179), (10, 10, 10, -10)],
}  # fmt: skip
CASES = [
    (scale, axis, row[0], reading)
    for scale, rows in READINGS.items()
    for row in rows
    for axis, reading in zip((G, C, T), row[1:], strict=True)
]


@pytest.mark.parametrize(("scale", "axis", "iec", "room"), CASES)
def test_readings_and_back(scale, axis, iec, room):
    assert to_room_scale(iec, axis, scale) == pytest.approx(room, abs=1e-12)
    assert from_room_scale(room, axis, scale) == pytest.approx(iec, abs=1e-12)


@pytest.mark.parametrize("scale", AngleScale)
@pytest.mark.parametrize("axis", AngleAxis)
def test_turns_do_not_matter_and_readings_stay_in_their_range(scale, axis):
    low, high = (-180, 180) if scale is EN else (0, 360)
    for angle in (-725.25, -360, -0.0, 0.0, 1e-13, -1e-13, 45.5, 179.75, 180.25, 360, 719.75):
        room = to_room_scale(angle, axis, scale)
        assert low <= room <= high
        assert room < 360
        assert scale is not EN or room > -180
        back = from_room_scale(room, axis, scale)
        assert 0 <= back < 360
        assert math.cos(math.radians(back - angle)) == pytest.approx(1, abs=1e-12)


def test_text_rounds_before_it_wraps():
    assert room_angle_text(359.96, G, IEC) == "0.0"
    assert room_angle_text(0.04, T, VI) == "0.0"
    assert room_angle_text(180.02, C, VS) == "0.0"
    assert room_angle_text(181.0, G, EN) == "−179.0"
    assert room_angle_text(180.04, G, EN) == "180.0"


def test_numbers_that_are_none_are_refused():
    with pytest.raises(Refused, match="gantry"):
        to_room_scale(float("nan"), G, IEC)


def test_jaws_of_each_scale():
    jaws = (-5.0, 6.0, -7.0, 8.0)
    assert to_room_jaws(jaws, IEC) == jaws
    assert to_room_jaws(jaws, VI) == to_room_jaws(jaws, VS) == (5.0, 6.0, 7.0, 8.0)
    assert to_room_jaws(to_room_jaws((1.0, 6.0, -7.0, 8.0), VS), VS) == (1.0, 6.0, -7.0, 8.0)
    with pytest.raises(Refused, match="Elekta"):
        to_room_jaws(jaws, EN)
