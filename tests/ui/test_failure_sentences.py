"""What fails below a save is told on the screen in a sentence; the edits stay, and the next save has them all."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3

import attrs
import pytest
import sqlcipher3

from ert.app.jobs import Lane
from ert.storage import blobs, schema
from ert.storage.atomic import storage_error
from ert.storage.database import Database
from ert.storage.share_locks import NO_LOCKS
from ert.storage.sqlcipher_backend import SqlCipher
from tests.ui import real_site


def _writing_fails(number):
    @contextlib.contextmanager
    def cause(_window, _plan_id):
        def fails(*_, **__):
            raise storage_error(OSError(number, os.strerror(number)), "writing an encrypted file")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(schema, "MAXIMUM_CELL_BYTES", 0)  # so that the plan goes into a file
            patch.setattr(blobs, "write_new_file", fails)
            yield

    return cause


@contextlib.contextmanager
def _share_gone(window, _plan_id):
    root = window.session.site_path
    away = root.with_name("away")
    root.rename(away)
    yield
    away.rename(root)


@contextlib.contextmanager
def _no_locks(window, _plan_id):
    records = window.session.store.records
    records.read_only_reason = NO_LOCKS
    yield
    records.read_only_reason = ""


@contextlib.contextmanager
def _busy(_window, _plan_id):
    def refuses(_database, _raw, *, is_writing):
        error = sqlcipher3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqlCipher, "begin", refuses)
        yield


@contextlib.contextmanager
def _colleague_signs(window, plan_id):
    theirs = real_site.gateway().open(window.session.site_path, user_name=real_site.USER, password=real_site.PASSWORD)
    lease = theirs.locks.take_plan(plan_id, doing="signing the plan")
    yield
    theirs.locks.release(lease)
    theirs.close()


@contextlib.contextmanager
def _newer_program(_window, _plan_id):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "MIGRATION_HEAD", "0000")
        yield


@contextlib.contextmanager
def _row_changed(window, plan_id):
    """Somebody with the keys' ciphertext in hand changed the plan's row from outside."""

    def write(text):
        access = window.session.store._access
        outside = Database(access, may_migrate=True)
        try:
            with outside.write() as connection:
                connection.execute(schema.plan.update().where(schema.plan.c.uuid == plan_id).values(saved_by=text))
        finally:
            outside.close()

    mine = window.session.account.id
    write("somebody")
    yield
    write(mine)


FAILURES = (
    ("full disk", _writing_fails(errno.ENOSPC), "The disk of this site is full"),
    ("full quota", _writing_fails(errno.EDQUOT), "The disk of this site is full"),
    ("flush failed", _writing_fails(errno.EIO), "Check the disk or the network share"),
    ("read-only", _writing_fails(errno.EROFS), "the disk or share is not read-only"),
    ("share gone", _share_gone, "Check the disk or the network share"),
    ("no locks", _no_locks, "Nothing is saved here any more"),
    ("busy", _busy, "busy"),
    ("colleague signs", _colleague_signs, "is signing the plan (on "),
    ("newer program", _newer_program, "brought up to date by a newer version of the program"),
    ("row changed", _row_changed, "changed from outside"),
)


def test_every_failure_has_its_sentence_on_the_screen_and_costs_no_edit(window, qtbot):
    (row,) = window.session.patients()
    plan_id = row.courses[0].plans[0].plan_id
    window.open_plan(plan_id)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=20_000)
    page, before = window.plan_page, window.plan_page.workspace.stored.revision
    for name, cause, sentence in FAILURES:
        page.workspace.apply("Describe", lambda plan, name=name: attrs.evolve(plan, description=name))
        with cause(window, plan_id):
            page.actions_.save.trigger()
            qtbot.waitUntil(lambda: page.workspace.save_error is not None, timeout=20_000)
            assert page.not_saved.isVisible(), name
            assert "NOT SAVED" in page.not_saved.text
            assert sentence in page.not_saved.text, (name, page.not_saved.text)
            assert page.workspace.is_dirty
            assert page.workspace.plan.description == name
        page.actions_.save.trigger()
        qtbot.waitUntil(lambda: not page.workspace.is_dirty, timeout=20_000)
        assert not page.not_saved.isVisible()
    stored = window.session.store.plans.revisions
    revisions = window.session.jobs.call(Lane.DB, lambda: stored(plan_id))
    assert [r.plan.description for r in revisions[before:]] == [name for name, _, _ in FAILURES]
