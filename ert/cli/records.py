"""``ert records``: correct, merge, put aside and copy patients' records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from ert.cli.identity import ask_changes, read_changes
from ert.cli.output import print_json, print_line, print_table, progress_bar
from ert.cli.patients import opened_session
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption
from ert.cli.wiring import Wiring
from ert.domain.administration import PatientRecord
from ert.domain.anonymisation import Anonymisation, DateRule

Record = Annotated[str, typer.Argument(help="Id of the patient's record ('ert records list' shows it).")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the history of the record.")]


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help="Correct, merge, put aside and copy patients' records.", no_args_is_help=True)
    _add_list(group, wiring)
    _add_correct(group, wiring)
    _add_merge(group, wiring)
    _add_states(group, wiring)
    _add_anonymise(group, wiring)
    app.add_typer(group, name="records")


def _add_list(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("list")
    def list_records(
        *, site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """List every record, merged and inactive ones too."""
        with opened_session(wiring, site, user, password_fd) as (session, _):
            records = session.administration.records()
        if as_json:
            print_json({"records": [_as_json(r) for r in records]})
            return
        rows = [
            (
                r.patient.display_name,
                r.patient.medical_record_number,
                r.patient.issuer,
                str(r.patient.birth_date or ""),
                _state(r),
                r.patient.id,
            )
            for r in records
        ]
        print_table(f"{len(rows)} records", ("Patient", "Record number", "Issued by", "Born", "State", "Id"), rows)


def _add_correct(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("correct")
    def correct(
        record: Record,
        *,
        site: SiteOption,
        reason: Reason,
        identity: Annotated[
            Path | None,
            typer.Option(
                "--identity",
                help="JSON object with what is to change: family_name, given_name, middle_name, prefix, suffix, "
                "medical_record_number, issuer, birth_date (YYYY-MM-DD), sex (F, M, O); empty removes. '-' reads it "
                "from standard input; asked for on the terminal if not given.",
            ),
        ] = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Correct an identity; plans, doses and images stay as they are. Names never stand on the command line."""
        given = None if identity is None else read_changes(identity)
        with opened_session(wiring, site, user, password_fd) as (session, _):
            seen = session.administration.record(record)
            changes = ask_changes(seen.patient) if given is None else given
            after = session.administration.correct(seen, attrs.evolve(seen.patient, **changes), reason=reason)
        _tell(after, as_json=as_json)


def _add_merge(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("merge")
    def merge(
        record: Record,
        *,
        into: Annotated[str, typer.Option("--into", help="Id of the record that stays.")],
        site: SiteOption,
        reason: Reason,
        accept_differences: Annotated[
            bool, typer.Option("--accept-differences", help="They are one person in spite of what differs.")
        ] = False,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Make a record part of another; can be taken apart again."""
        with opened_session(wiring, site, user, password_fd) as (session, _):
            administration = session.administration
            after = administration.merge(
                administration.record(record),
                administration.record(into),
                reason=reason,
                accept_differences=accept_differences,
            )
        _tell(after, as_json=as_json)

    @group.command("unmerge")
    def unmerge(
        record: Record,
        *,
        site: SiteOption,
        reason: Reason,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Let a merged record stand for itself again."""
        with opened_session(wiring, site, user, password_fd) as (session, _):
            after = session.administration.unmerge(session.administration.record(record), reason=reason)
        _tell(after, as_json=as_json)


def _add_states(group: typer.Typer, wiring: Wiring | None) -> None:
    def change(
        record: str, *, is_active: bool, site: SiteOption, reason: str, user: str | None, password_fd: int | None
    ) -> PatientRecord:
        with opened_session(wiring, site, user, password_fd) as (session, _):
            seen = session.administration.record(record)
            return session.administration.set_active(seen, is_active=is_active, reason=reason)

    @group.command("deactivate")
    def deactivate(
        record: Record,
        *,
        site: SiteOption,
        reason: Reason,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Hide a record from the list; nothing is removed."""
        after = change(record, is_active=False, site=site, reason=reason, user=user, password_fd=password_fd)
        _tell(after, as_json=as_json)

    @group.command("activate")
    def activate(
        record: Record,
        *,
        site: SiteOption,
        reason: Reason,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """List a record again."""
        after = change(record, is_active=True, site=site, reason=reason, user=user, password_fd=password_fd)
        _tell(after, as_json=as_json)


def _add_anonymise(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("anonymise")
    def anonymise(
        record: Record,
        *,
        number: Annotated[str, typer.Option("--number", help="Record number of the copy.")],
        name: Annotated[str, typer.Option("--name", help="Name of the copy.")] = "Anonymous",
        site: SiteOption,
        reason: Reason,
        dates: Annotated[DateRule, typer.Option("--dates", help="What becomes of dates.")] = DateRule.REMOVE,
        shift_days: Annotated[int, typer.Option("--shift-days", help="With '--dates shift'.")] = 0,
        keep_names: Annotated[
            bool, typer.Option("--keep-names", help="Keep names of courses, plans, beams, structures and points.")
        ] = False,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Copy all courses of a patient within the site under another identity."""
        from ert.app.jobs import JobContext

        how = Anonymisation(number=number, family_name=name, dates=dates, shift_days=shift_days, keeps_names=keep_names)
        with opened_session(wiring, site, user, password_fd) as (session, _), progress_bar() as progress:
            made = session.administration.anonymised_copy(record, how, JobContext(progress), reason=reason)
        if as_json:
            print_json({"id": made.patient.id, "courses": made.courses, "plans": made.plans})
        else:
            print_line(f"{made.courses} courses and {made.plans} plans were copied to {number} ({made.patient.id}).")


def _state(record: PatientRecord) -> str:
    if record.merged_into:
        return f"merged into {record.merged_into}"
    return "active" if record.is_active else "inactive"


def _as_json(record: PatientRecord) -> dict[str, Any]:
    patient = record.patient
    return {
        "id": patient.id,
        "name": patient.display_name,
        "medical_record_number": patient.medical_record_number,
        "issuer": patient.issuer,
        "birth_date": None if patient.birth_date is None else patient.birth_date.isoformat(),
        "sex": patient.sex.value,
        "is_active": record.is_active,
        "merged_into": record.merged_into,
        "revision": record.revision,
    }


def _tell(record: PatientRecord, *, as_json: bool) -> None:
    if as_json:
        print_json(_as_json(record))
    else:
        print_line(f"{record.patient.display_name}, {record.patient.medical_record_number}: {_state(record)}.")
