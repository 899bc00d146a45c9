"""``ert records``: correct, merge, put aside and copy patients' records."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import attrs
import typer

from ert.cli.output import print_json, print_line, print_table, progress_bar
from ert.cli.patients import opened_session
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption
from ert.cli.wiring import Wiring
from ert.domain.administration import PatientRecord
from ert.domain.anonymisation import Anonymisation, DateRule
from ert.domain.patient import Sex
from ert.errors import Refused

Record = Annotated[str, typer.Argument(help="Id of the patient's record ('ert records list' shows it).")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the history of the record.")]
Text = Annotated[str | None, typer.Option(help="Left as it is if not given; empty removes it.")]


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
        family_name: Text = None,
        given_name: Text = None,
        middle_name: Text = None,
        prefix: Text = None,
        suffix: Text = None,
        number: Text = None,
        issuer: Text = None,
        birth_date: Annotated[str | None, typer.Option(help="YYYY-MM-DD; empty removes it.")] = None,
        sex: Annotated[str | None, typer.Option(help="F, M, O, or empty.")] = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Correct an identity; plans, doses and images stay as they are."""
        given = {
            "family_name": family_name,
            "given_name": given_name,
            "middle_name": middle_name,
            "prefix": prefix,
            "suffix": suffix,
            "medical_record_number": number,
            "issuer": issuer,
        }
        changes: dict[str, Any] = {name: text.strip() for name, text in given.items() if text is not None}
        if birth_date is not None:
            changes["birth_date"] = _date(birth_date)
        if sex is not None:
            changes["sex"] = _sex(sex)
        with opened_session(wiring, site, user, password_fd) as (session, _):
            seen = session.administration.record(record)
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


def _date(text: str) -> dt.date | None:
    if not text.strip():
        return None
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError as exc:
        raise Refused(f"'{text}' is no date.", hint="Write it as YYYY-MM-DD, for example 1954-08-31.") from exc


def _sex(text: str) -> Sex:
    try:
        return Sex(text.strip().upper())
    except ValueError as exc:
        raise Refused(f"'{text}' is no sex that DICOM knows.", hint="Give F, M, O, or nothing.") from exc


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
