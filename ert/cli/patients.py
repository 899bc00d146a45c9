"""``ert import`` and ``ert export``: DICOM into a site and out of it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ert.cli import credentials
from ert.cli.output import print_error, print_json, print_line, progress_bar
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, need
from ert.cli.wiring import Wiring
from ert.errors import Refused

if TYPE_CHECKING:
    from ert.app.import_all import ImportReport
    from ert.app.session import SiteSession

_PUMP_S = 0.05


class _Owner:
    """Runs on this thread what jobs hand back."""

    def __init__(self) -> None:
        self.calls: queue.Queue[Callable[[], None]] = queue.Queue()

    def pump(self) -> None:
        """Run one callback, waiting a moment for it."""
        try:
            self.calls.get(timeout=_PUMP_S)()
        except queue.Empty:
            return


@contextmanager
def opened_session(
    wiring: Wiring | None, path: Path, user: str | None, descriptor: int | None, *, password: str = ""
) -> Iterator[tuple[SiteSession, _Owner]]:
    """A signed-in session, closed at the end; the password is asked for if it is not known yet."""
    from ert.app.jobs import Jobs
    from ert.app.session import SiteSession

    gateway = need(wiring).gateway()
    if not gateway.is_site(path):
        raise Refused(f"'{path}' is no ERT site.", hint="Make one with: ert site create DIR --name … --admin NAME")
    name = credentials.ask_user(user)
    password = password or credentials.ask_password("Password", descriptor=descriptor)
    owner = _Owner()
    jobs = Jobs(owner.calls.put)
    try:
        with closing(SiteSession.open(gateway, jobs, path, user_name=name, password=password)) as session:
            yield session, owner
    finally:
        jobs.shutdown()


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""

    @app.command("import")
    def import_dicom(
        sources: Annotated[list[Path], typer.Argument(help="Folders and files with CT and RT Structure Sets.")],
        *,
        site: SiteOption,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Import CT and structures; each CT series completely or not at all."""
        from ert.app.import_all import import_everything
        from ert.app.jobs import JobContext
        from ert.app.patient_service import ImportService

        with opened_session(wiring, site, user, password_fd) as (session, _), progress_bar() as progress:
            report = import_everything(ImportService(session), sources, JobContext(progress))
        if as_json:
            print_json(_as_json(report))
        else:
            _print(report)

    @app.command("export")
    def export(
        plan: Annotated[str, typer.Argument(help="Id of the plan (ert list shows it).")],
        *,
        site: SiteOption,
        out: Annotated[Path, typer.Option("--out", help="Folder for the DICOM files.")],
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Export a plan: RT Plan, RT Dose, RT Structure Set and the unchanged CT."""
        from ert.app.export_service import export_plan
        from ert.app.jobs import JobContext

        with (
            opened_session(wiring, site, user, password_fd) as (session, owner),
            progress_bar() as progress,
            closing(session.open_plan(plan)) as workspace,
        ):
            workspace.wait_for_dose(owner.pump)
            files = export_plan(session, workspace, out, JobContext(progress))
        if as_json:
            print_json({"plan": plan, "files": [str(f) for f in files]})
        else:
            print_line(f"{len(files)} files written to {out}")


def _as_json(report: ImportReport) -> dict[str, Any]:
    return {
        "imported": [
            {
                "patient_id": o.patient.id,
                "medical_record_number": o.patient.medical_record_number,
                "patient_name": o.patient.display_name,
                "course_id": o.course.id,
                "course_name": o.course.name,
                "findings": [
                    {"severity": f.severity.value, "code": f.code, "sentence": f.sentence} for f in o.findings
                ],
            }
            for o in report.imported
        ],
        "refused": [{"what": r.what, "reason": r.reason} for r in report.left_out],
    }


def _print(report: ImportReport) -> None:
    for outcome in report.imported:
        print_line(f"Imported: {outcome.patient.display_name}, {outcome.course.name} ({outcome.course.id})")
        for finding in outcome.findings:
            print_line(f"  {finding.severity.value}: {finding.sentence}")
    for left in report.left_out:
        print_error(f"Not imported: {left.what}: {left.reason}")
