"""The program refuses a pair of Python and Qt that would abort under the user's hands (docs/adr/0006-qt-pin.md)."""

import sys

import pytest

from ert.errors import SelfTestFailed
from ert.ui.application import check_platform, take_short_turns


@pytest.mark.parametrize(("python", "pyside"), [((3, 11), (6, 12)), ((3, 11), (6, 13)), ((3, 11), (7, 0))])
def test_a_faulty_pair_is_refused_with_the_way_out(python, pyside):
    with pytest.raises(SelfTestFailed) as told:
        check_platform(python, pyside)
    assert ".".join(map(str, pyside)) in str(told.value)
    assert "6.11.3" in (told.value.hint or "")


@pytest.mark.parametrize(("python", "pyside"), [((3, 11), (6, 11)), ((3, 12), (6, 12)), ((3, 13), (6, 13))])
def test_a_good_pair_passes(python, pyside):
    check_platform(python, pyside)


def test_the_installed_pair_is_a_good_one():
    check_platform()


def test_a_painting_window_waits_at_most_50_ms_for_python_though_it_lets_go_of_it_twenty_times():
    before_s = sys.getswitchinterval()
    try:
        take_short_turns()
        assert 20 * sys.getswitchinterval() < 0.05
    finally:
        sys.setswitchinterval(before_s)
