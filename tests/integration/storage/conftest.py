"""The storage suite runs twice: with the rows in the site's folder, and on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.storage import samples
from tests.integration.storage.postgres import PostgresServer, binaries

FOLDER, SERVER = "folder", "server"
# What the repositories promise; of tests whose subject is files, not rows, those whose answer could differ.
ON_BOTH: dict[str, frozenset[str]] = {
    "test_activity": frozenset(),
    "test_emergency": frozenset(),
    "test_library": frozenset(),
    "test_patient_admin": frozenset(),
    "test_people": frozenset(),
    "test_releases": frozenset(),
    "test_site": frozenset(),
    "test_approvals": frozenset({
        "test_what_was_signed_is_read_back_in_another_session_to_the_last_bit",
        "test_the_database_itself_refuses_to_change_what_was_signed",
        "test_after_its_approval_ended_no_row_of_a_plan_can_be_changed_at_all",
        "test_who_signs_holds_the_plan_and_an_edit_before_makes_the_signature_stale",
        "test_where_the_site_asks_for_another_person_who_edited_last_signs_nothing",
        "test_structures_of_an_approved_plan_keep_their_shapes_and_may_change_their_roles",
    }),
    "test_accounts": frozenset({
        "test_a_new_user_signs_in_with_a_one_time_password_and_has_to_change_it",
        "test_each_user_has_a_signing_key_and_saves_under_the_own_name",
        "test_changing_a_password_keeps_the_signing_key_and_a_reset_replaces_it",
        "test_a_disabled_user_is_out_and_comes_back_with_the_same_password",
        "test_the_last_administrator_cannot_be_removed",
        "test_every_change_is_in_the_history_with_who_and_what",
        "test_a_name_is_taken_in_any_spelling",
        "test_unlocking_waits_for_no_other_thread_and_takes_the_password_of_today",
        "test_two_administrators_cannot_remove_each_other_at_once",
    }),
    "test_backup": frozenset({
        "test_a_backup_restores_to_the_same_records_and_bytes",
        "test_a_second_backup_writes_only_what_is_new",
        "test_nothing_readable_lies_in_a_backup",
        "test_a_cancelled_backup_leaves_nothing_but_files_for_the_next",
        "test_what_an_earlier_backup_has_heals_the_loss",
        "test_a_full_disk_leaves_earlier_backups_and_no_half_one",
        "test_a_backup_of_a_clock_that_was_ahead_is_not_taken_for_the_newest",
        "test_what_is_backed_up_after_a_second_restore_is_newer_than_the_branch_that_was_left",
    }),
    "test_renewal": frozenset({
        "test_a_kill_at_any_step_leaves_a_site_that_opens_and_goes_on",
        "test_cells_and_rows_under_former_keys_are_refused_history_is_read",
        "test_backups_of_before_verify_and_restore_with_the_keys_of_their_day",
    }),
    "test_restore": frozenset({
        "test_a_copy_says_so_takes_no_change_and_leaves_the_memory_of_the_site_alone",
        "test_activation_keeps_the_former_folder_and_notes_why",
        "test_activation_is_refused_while_somebody_has_either_open",
        "test_what_may_not_be_activated",
        "test_a_lost_site_is_replaced_and_a_copy_may_become_one_where_it_lies",
        "test_a_backup_of_an_older_program_is_verified_restored_and_brought_up_to_date",
    }),
}  # fmt: skip


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running server; a test that asks for it is skipped where its programs are not installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("needs the server programs of PostgreSQL (Debian: postgresql)")
    server = PostgresServer.start(programs)
    yield server
    server.remove()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is promised of both on both."""
    names = ON_BOTH.get(metafunc.module.__name__.rpartition(".")[2])
    is_subject = names is not None and (not names or metafunc.definition.name in names)
    if is_subject and not any(metafunc.definition.iter_markers("folder_only")):
        metafunc.parametrize("rows_lie", [FOLDER, SERVER], indirect=True, scope="module")


@pytest.fixture(autouse=True, scope="module")
def rows_lie(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the sites of a test keep their rows."""
    where = getattr(request, "param", FOLDER)
    if where == FOLDER:
        yield where
        return
    server = request.getfixturevalue("postgres")
    samples.OnServer.server = server
    yield where
    samples.OnServer.server = None
    server.drop_databases()
