"""What goes on paper: only finished histograms, and the goals as the window judges them."""

import attrs
import pytest

from ert.app.plan_output import finished_report, write_report
from ert.domain.plan import Goal, with_beam
from ert.errors import ExportRejected, StorageFailed


def test_goals_and_histograms_are_on_the_report(workspace, owner, beam, tmp_path):
    target = workspace.plan.prescription.target_number
    goals = (
        Goal(structure_number=target, metric="D95%", comparison=">=", value=40.0, unit="Gy"),
        Goal(structure_number=target, metric="D95%", comparison="<=", value=40.0, unit="Gy"),
    )
    workspace.apply("Plan", lambda plan: attrs.evolve(with_beam(plan, beam), goals=goals))
    workspace.wait_for_dose(owner.pump)
    saved = []
    workspace.evaluation.clear()
    with pytest.raises(ExportRejected, match="histograms"):
        finished_report(workspace)
    workspace.evaluation.start(workspace.plan, workspace.dose)
    owner.until(lambda: workspace.dvhs)
    workspace.save(lambda: saved.append(True))
    owner.until(lambda: saved)
    report = finished_report(workspace)
    reached = workspace.metric(target, "D95%")
    assert reached > 40.0
    assert [g.state for g in report.goals] == ["MET", "VIOLATED"]
    assert report.goals[0].goal == "PTV_Chestwall D95% >= 40 Gy"
    assert {g.value for g in report.goals} == {f"{reached:.2f} Gy"}
    assert {d.name for d in report.dvhs} == {s.name for s in workspace.structures.structures if s.contours}
    assert write_report(report, tmp_path / "plan.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(StorageFailed, match="could not be written"):
        write_report(report, tmp_path / "missing" / "plan.pdf")
