"""Nothing of a patient reaches a log file."""

import json
import logging
import stat
from logging.handlers import RotatingFileHandler

import pytest

from ert import logs
from ert.errors import InvalidPlan

NAME = "Quisling^Amalie"


@pytest.fixture
def log_file(tmp_path):
    path = logs.start(tmp_path / "log")
    yield path
    logs.stop()


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_text_arguments_are_not_written_but_numbers_and_public_text_are(log_file):
    logging.getLogger("ert.x").info("imported %s with %d slices by %s in %.1f s", NAME, 40, logs.Public("ert 1"), 2.5)
    (line,) = lines(log_file)
    assert NAME not in log_file.read_text(encoding="utf-8")
    assert line["message"] == "imported %s with %d slices by %s in %.1f s"
    assert line["args"] == ["<str of 15>", 40, "ert 1", 2.5]


def test_the_text_of_an_exception_is_not_written_but_its_place_is(log_file):
    def fail():
        raise ValueError(NAME)

    def refuse():
        try:
            fail()
        except ValueError as cause:
            raise InvalidPlan(f"Plan of {NAME}", detail="beams=0") from cause

    with pytest.raises(InvalidPlan) as caught:
        refuse()
    code = logs.record_fault(caught.value)
    text = log_file.read_text(encoding="utf-8")
    assert NAME not in text
    assert code in text
    (line,) = lines(log_file)
    assert line["exception"]["class"] == "InvalidPlan"
    assert line["exception"]["code"] == "ERT-110"
    assert line["exception"]["detail"] == "beams=0"
    assert line["exception"]["from"]["class"] == "ValueError"
    assert "test_logs.py" in line["exception"]["at"][0]
    assert str(log_file.parent) not in text


@pytest.mark.parametrize("value", [NAME.encode(), {"name": NAME}, [NAME], ValueError(NAME)])
def test_containers_and_exceptions_as_arguments_are_not_written(log_file, value):
    logging.getLogger("ert").warning("odd %s", (value,))
    logging.getLogger("ert").warning("odd %s %s", value, 1)
    assert NAME not in log_file.read_text(encoding="utf-8")


def test_only_the_owner_can_read_it(log_file):
    logging.getLogger("ert").info("x")
    assert stat.S_IMODE(log_file.stat().st_mode) == 0o600


def test_files_rotate(log_file, monkeypatch):
    (handler,) = [h for h in logging.getLogger("ert").handlers if isinstance(h, RotatingFileHandler)]
    monkeypatch.setattr(handler, "maxBytes", 2000)
    for number in range(100):
        logging.getLogger("ert").info("line %d", number)
    names = sorted(p.name for p in log_file.parent.iterdir())
    assert "ert.log.1" in names
    assert len(names) <= 1 + logs.KEPT_FILES
    assert all(p.stat().st_size <= 2100 for p in log_file.parent.iterdir())


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("x")
    assert logs.start(blocked / "log") is None
    logging.getLogger("ert").info("goes nowhere")
    logs.stop()
