"""The panel of monitor units: what agrees, what does not, what was not checked; in signs and words, not colour only."""

from __future__ import annotations

import attrs
import pytest

from ert.app.mu_service import TypedField, check_typed
from ert.domain.monitor_units import Verdict
from ert.dose.output import rectangle_cm
from ert.settings import resources_dir
from ert.ui.mu_panel import MuPanel
from ert.ui.theme import BAD, GOOD, WARN


class Workspace:
    def __init__(self, *checks):
        self.mu_checks = checks


@pytest.fixture(scope="module")
def check():
    field = TypedField(
        energy_mev=12.0, applicator_id="A10", outline_cm=rectangle_cm(4.0, 4.0), ssd_cm=100.0, depth_cm=None,
        dose_cgy=200.0,
    )  # fmt: skip
    return check_typed(resources_dir() / "demo_machine" / "package", field).checks[0]


def row(item):
    return [item.text(n) for n in range(item.columnCount())]


def test_a_beam_with_its_factors_and_three_ways(check, qtbot):
    panel = MuPanel(Workspace(check))
    qtbot.addWidget(panel)
    top = panel.tree.topLevelItem(0)
    assert row(top)[1:3] == ["207.5 MU", f"{check.engine_mu:g} MU"]
    assert row(top)[3].endswith("✓")
    assert top.foreground(3).color().name() == GOOD
    names = [top.child(n).text(0) for n in range(top.childCount())]
    assert [n.split()[0] for n in names] == ["D'0", "AF", "CF", "DF", "PDD", "Cutout"]
    ways = top.child(top.childCount() - 1)
    assert [ways.child(n).text(0) for n in range(3)] == [w.name for w in check.ways]
    assert check.worksheet.formula in panel.words.text()
    panel.tree.setCurrentItem(top.child(2))
    assert "same applicator left open" in panel.words.text()


@pytest.mark.parametrize(
    ("verdict", "engine_mu", "shown"),
    [(Verdict.INVESTIGATE, 216.0, ("+4.1 % !", WARN)), (Verdict.ACTION, 190.0, ("−8.4 % ✗", BAD))],
)
def test_a_difference_has_a_sign_and_a_colour(check, qtbot, verdict, engine_mu, shown):
    panel = MuPanel(Workspace(attrs.evolve(check, verdict=verdict, engine_mu=engine_mu)))
    qtbot.addWidget(panel)
    top = panel.tree.topLevelItem(0)
    assert (top.text(3), top.foreground(3).color().name()) == shown


def test_a_refusal_stands_where_the_number_would(check, qtbot):
    refused = attrs.evolve(check, worksheet=None, refusal="Not measured there.", verdict=Verdict.NOT_CHECKED)
    panel = MuPanel(Workspace(refused))
    qtbot.addWidget(panel)
    assert row(panel.tree.topLevelItem(0))[1:4] == ["–", f"{check.engine_mu:g} MU", "not checked"]
    assert "Not measured there." in panel.words.text()


def test_without_a_current_dose_nothing_is_shown(check, qtbot):
    workspace = Workspace(check)
    panel = MuPanel(workspace)
    qtbot.addWidget(panel)
    workspace.mu_checks = ()
    panel.refresh()
    assert panel.tree.topLevelItemCount() == 0
    assert "as soon as the dose" in panel.words.text()
