"""Readings step back while somebody works at the window, and end all the same."""

from __future__ import annotations

import pytest

from ert.app.courtesy import Courtesy
from ert.app.jobs import JobContext


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.at_each_wait: list[object] = []

    def read(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        for act in self.at_each_wait:
            act()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def courtesy(clock):
    return Courtesy(now_s=clock.read, wait=clock.wait)


def test_nobody_there_costs_nothing(clock, courtesy):
    courtesy.give_way()
    assert clock.now_s == 100.0


def test_a_reading_waits_until_the_keys_have_rested(clock, courtesy):
    courtesy.somebody_works()
    courtesy.give_way()
    assert clock.now_s == pytest.approx(100.15)
    courtesy.give_way()
    assert clock.now_s == pytest.approx(100.15)


def test_somebody_who_never_stops_holds_each_step_up_for_half_a_second_and_no_longer(clock, courtesy):
    clock.at_each_wait.append(courtesy.somebody_works)
    courtesy.somebody_works()
    courtesy.give_way()
    assert clock.now_s == pytest.approx(100.5)


def test_a_job_gives_way_by_its_context_and_one_outside_the_window_to_nobody(clock, courtesy):
    courtesy.somebody_works()
    JobContext(courtesy=courtesy).give_way()
    assert clock.now_s == pytest.approx(100.15)
    JobContext().give_way()
    assert clock.now_s == pytest.approx(100.15)
