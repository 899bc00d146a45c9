"""Driver errors in the user's words; a fault of ours is not dressed up."""

from __future__ import annotations

import errno

import pytest
import sqlcipher3

from ert.errors import BadTag, DatabaseBusy, DiskFull, StorageFailed
from ert.storage.atomic import storage_error
from ert.storage.sqlerrors import database_error, is_damage, translated_database


def driver_error(code: int) -> sqlcipher3.DatabaseError:
    error = sqlcipher3.OperationalError("text")
    error.sqlite_errorcode = code
    return error


# Extended result codes of SQLite (https://sqlite.org/rescode.html).
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (5, DatabaseBusy), (261, DatabaseBusy), (6, DatabaseBusy), (13, DiskFull), (10, StorageFailed),
        (1034, StorageFailed), (8, StorageFailed), (14, StorageFailed), (11, BadTag), (26, BadTag),
    ],
)  # fmt: skip
def test_result_codes_are_translated(code, expected):
    with pytest.raises(expected), translated_database():
        raise driver_error(code)


def test_wrong_sql_stays_an_error_of_ours():
    mistake = driver_error(1)
    assert database_error(mistake) is mistake
    assert isinstance(database_error(None), RuntimeError)


def test_a_connection_is_thrown_away_only_after_damage():
    assert [code for code in (5, 10, 11, 13, 19, 26) if is_damage(driver_error(code))] == [10, 11, 13, 26]


@pytest.mark.parametrize(
    ("code", "expected", "words"),
    [
        (errno.ENOSPC, DiskFull, "full"), (errno.EDQUOT, DiskFull, "full"), (errno.EROFS, StorageFailed, "allow"),
        (errno.EACCES, StorageFailed, "allow"), (errno.EIO, StorageFailed, "did not complete"),
    ],
)  # fmt: skip
def test_file_errors_are_translated(code, expected, words):
    error = storage_error(OSError(code, "x"), "writing")
    assert type(error) is expected
    assert words in error.sentence
