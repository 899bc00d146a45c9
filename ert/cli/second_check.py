"""``ert second-check run|limits|set-limits``: a plan's dose against another engine, and what that is judged by."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from ert.cli.dose import AlgorithmName
from ert.cli.output import print_json, print_line, print_result, print_table, progress_bar
from ert.cli.patients import opened_session
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, opened
from ert.cli.wiring import Wiring
from ert.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from ert.app.second_check import Comparison
    from ert.app.workspace import PlanWorkspace
    from ert.domain.second_check import SecondCheck

WITHIN, OUTSIDE = 0, 1
_LONGEST_S = 7 * 86_400.0
PlanArgument = Annotated[str, typer.Argument(help="Id of the plan, as 'ert list' shows it.")]


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help="Check a plan's dose by another engine.", no_args_is_help=True)
    _add_run(group, wiring)
    _add_limits(group, wiring)
    _add_set_limits(group, wiring)
    app.add_typer(group, name="second-check")


def _add_run(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("run")
    def run(
        plan: PlanArgument,
        *,
        site: SiteOption,
        by: Annotated[
            AlgorithmName | None, typer.Option("--by", help="Engine that checks; each beam's other engine by default.")
        ] = None,
        mark_ready: Annotated[
            bool, typer.Option("--mark-ready", help="Save the plan as ready for review before it is checked.")
        ] = False,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Check a saved plan and keep the check with it. Ends with 0 if it is within tolerance, else with 1."""
        if mark_ready and by is not None:
            raise Refused("A plan that is marked ready is checked by each beam's other engine.", hint="Leave out --by.")
        with (
            opened_session(wiring, site, user, password_fd) as (session, owner),
            progress_bar() as progress,
            closing(session.open_plan(plan)) as workspace,
        ):
            workspace.wait_for_dose(owner.pump, _LONGEST_S)
            check = _marked(workspace, owner.pump) if mark_ready else _compared(workspace, owner.pump, by, progress)
            revision = workspace.revision
        if as_json:
            print_json(described(check) | {"plan": plan, "revision": revision})
        else:
            _print(check, revision)
        raise typer.Exit(WITHIN if check.light.value == "GREEN" else OUTSIDE)


def _marked(workspace: PlanWorkspace, pump: Callable[[], None]) -> SecondCheck:
    """Mark the plan and wait for the check that begins by itself."""
    failed: list[BaseException] = []
    if not workspace.readiness.is_ready:
        workspace.mark_ready(on_failed=failed.append)
    while workspace.readiness.check is None and not failed and not workspace.readiness.problem:
        pump()
    if failed:
        raise failed[0]
    kept = workspace.readiness.check
    if kept is None:
        raise Refused(f"The plan is ready for review, but not checked: {workspace.readiness.problem}")
    return kept.check


def _compared(
    workspace: PlanWorkspace, pump: Callable[[], None], by: AlgorithmName | None, progress: Callable[[float, str], None]
) -> SecondCheck:
    """Check the plan as saved, and keep the check."""
    from ert.domain.algorithm import Algorithm

    found: list[Comparison] = []
    failed: list[BaseException] = []
    workspace.checks.compare(
        workspace.plan,
        (None, None if by is None else Algorithm(by.value)),
        on_done=found.append,
        on_failed=failed.append,
        on_cancelled=lambda: failed.append(Refused("The check was stopped.")),
        on_progress=progress,
    )
    while not found and not failed:
        pump()
    if failed:
        raise failed[0]
    workspace.checks.keep(found[0], workspace.stored)
    return found[0].check


def described(check: SecondCheck) -> dict[str, Any]:
    """A check for JSON."""
    return {
        "light": check.light.value.lower(),
        "first_engine": check.first_engine,
        "second_engine": check.second_engine,
        "gamma_reference": check.gamma_reference,
        "gamma_pass_pct": check.gamma_pass_pct,
        "gamma_points": check.gamma_points,
        "limits": attrs.asdict(check.tolerances) | {"source": check.tolerances_source},
        "values": [attrs.asdict(v) | {"light": v.light.value.lower()} for v in check.values],
        "plan_digest": check.plan_digest,
    }


def _print(check: SecondCheck, revision: int) -> None:
    rows = [
        (v.subject, v.quantity, f"{v.first_gy:.2f}", f"{v.second_gy:.2f}", f"{v.difference_pct:+.1f}",
         v.light.value.lower())
        for v in check.values
    ]  # fmt: skip
    head = ("Of", "Quantity", "First Gy", "Second Gy", "Difference % of prescription", "Light")
    print_table(f"{check.first_engine} against {check.second_engine}, revision {revision}", head, rows)
    print_line(f"{check.gamma_text}, {check.tolerances_source}.")
    print_line(f"The light is {check.light.value.lower()}.")


def _add_limits(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("limits")
    def limits(
        site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """Show the limits in use and every revision before."""
        from ert.app.check_rules import CheckRules
        from ert.app.tissue_library import directly

        with opened(wiring, site, user, password_fd) as store:
            rules = CheckRules(store, directly)
            in_use, history = rules.in_use(), rules.history()
        rows = [
            {
                "revision": e.revision, "by": e.saved_by, "at": e.saved_at.isoformat(), "reason": e.value.reason,
                "limits": attrs.asdict(e.value.tolerances),
            }
            for e in history
        ]  # fmt: skip
        if as_json:
            print_json({"in_use": attrs.asdict(in_use.tolerances) | {"source": in_use.source}, "revisions": rows})
            return
        print_line(f"In use, {in_use.source}: {in_use.tolerances.sentence}.")
        table = [
            (str(e.revision), f"{e.saved_at:%Y-%m-%d %H:%M}", e.saved_by, e.value.reason, e.value.tolerances.sentence)
            for e in history
        ]
        print_table(f"{len(table)} revisions", ("Rev.", "Set (UTC)", "By", "Reason", "Limits"), table)


def _add_set_limits(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("set-limits")
    def set_limits(  # noqa: PLR0913 - one option for each limit
        *,
        site: SiteOption,
        reason: Annotated[str, typer.Option("--reason", help="Whose limits they are, and why.")],
        gamma_dose_pct: Annotated[float | None, typer.Option(help="Gamma: dose, % of the largest.")] = None,
        gamma_distance_mm: Annotated[float | None, typer.Option(help="Gamma: distance, mm.")] = None,
        gamma_threshold_pct: Annotated[float | None, typer.Option(help="Gamma: least dose, % of the largest.")] = None,
        green_pass_pct: Annotated[float | None, typer.Option(help="Green from this share of points, %.")] = None,
        amber_pass_pct: Annotated[float | None, typer.Option(help="Amber from this share of points, %.")] = None,
        green_difference_pct: Annotated[
            float | None, typer.Option(help="Green up to this difference, % of the prescription.")
        ] = None,
        amber_difference_pct: Annotated[
            float | None, typer.Option(help="Amber up to this difference, % of the prescription.")
        ] = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Change limits of this site's second checks; what is not named stays."""
        from ert.app.check_rules import CheckRules
        from ert.app.tissue_library import directly

        wanted = {
            "gamma_dose_pct": gamma_dose_pct, "gamma_threshold_pct": gamma_threshold_pct,
            "gamma_distance_cm": None if gamma_distance_mm is None else gamma_distance_mm / 10.0,
            "green_pass_pct": green_pass_pct, "amber_pass_pct": amber_pass_pct,
            "green_difference_pct": green_difference_pct, "amber_difference_pct": amber_difference_pct,
        }  # fmt: skip
        changes = {name: value for name, value in wanted.items() if value is not None}
        with opened(wiring, site, user, password_fd) as store:
            rules = CheckRules(store, directly)
            entry = rules.save(attrs.evolve(rules.in_use().tolerances, **changes), reason)
        answer = {"revision": entry.revision, "limits": attrs.asdict(entry.value.tolerances)}
        print_result(answer, f"Revision {entry.revision}: {entry.value.tolerances.sentence}.", as_json=as_json)
