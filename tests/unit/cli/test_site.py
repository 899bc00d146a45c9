"""Site verbs against a gateway that remembers what it was asked."""

import datetime as dt
import json
import os
from types import SimpleNamespace

import pytest

from ert.cli.main import call
from ert.domain.patient import Course, Patient
from ert.domain.record import Finding, PlanHead, PlanStatus, Severity
from ert.errors import DatabaseBusy, Refused, StorageFailed, WrongKey
from tests.people import CHIEF

CODE = "1111-2222-3333"
PATIENT = Patient(id="p1", medical_record_number="M1", family_name="Doe", birth_date=dt.date(1950, 2, 3))


class Pending:
    recovery_code = CODE

    def __init__(self):
        self.state = "pending"

    def confirm(self, typed):
        if typed != CODE:
            raise Refused("The recovery code differs.")
        self.state = "confirmed"

    def discard(self):
        self.state = "discarded"


class Store:
    account = CHIEF
    emergency = SimpleNamespace(envelope=lambda: None)

    def __init__(self, findings):
        self.findings = findings
        self.is_closed = False
        self.patients = self.plans = self

    def check(self):
        return self.findings

    def record_event(self, event, **_what):
        self.events = [*getattr(self, "events", []), event]

    def close(self):
        self.is_closed = True

    # PatientStore, PlanStore
    def courses(self, _patient_id):
        return (Course(id="c1", patient_id="p1", name="Course 1", image_id="i", structure_set_id="s"),)

    def patient(self, _patient_id):
        return PATIENT

    def heads(self, _course_id):
        at = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
        return (
            PlanHead(
                plan_id="plan1",
                course_id="c1",
                name="Chest",
                revision=3,
                status=PlanStatus.DRAFT,
                saved_by="a",
                saved_at=at,
            ),
        )


class Stores(Store):
    def __init__(self, findings=()):
        super().__init__(findings)
        self.patients = self.plans = _Both(self)


class _Both:
    def __init__(self, store):
        self.courses, self.patient, self.heads = store.courses, store.patient, store.heads

    def patients(self):
        return (PATIENT,)


class Gateway:
    def __init__(self, findings=()):
        self.pending = Pending()
        self.store = Stores(findings)
        self.asked = None

    def is_site(self, path):
        return path.name == "site"

    def prepare(self, path, *, site_name, admin_name, password, server=None):
        self.asked = (path.name, site_name, admin_name, password)
        return self.pending

    def open(self, _path, *, user_name, password):
        if (user_name, password) != ("anna", "right"):
            raise WrongKey("User or password are wrong.")
        return self.store


class Care:
    def __init__(self, findings):
        self.findings = findings

    def check(self, _site, *, user_name, password, level, progress, is_quarantining):
        if (user_name, password) != ("anna", "right"):
            raise WrongKey("User or password are wrong.")
        if level == 0:
            raise DatabaseBusy("Somebody is writing.")
        if level == 1:
            raise StorageFailed("The disk does not answer.")
        assert not is_quarantining
        progress(0.5, "half")
        return self.findings


class Wiring:
    def __init__(self, findings=()):
        self.made = Gateway(findings)
        self.started = None

    def gateway(self):
        return self.made

    def care(self):
        return Care(self.made.store.findings)

    def run_gui(self, *, site):
        self.started = ("gui", site)
        return 0

    def run_demo(self, *, out, with_window):
        self.started = ("demo", out, with_window)
        return 0


@pytest.fixture(autouse=True)
def _log_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))


@pytest.fixture
def password():
    opened = []

    def make(text):
        read, write = os.pipe()
        os.write(write, text.encode() + b"\n")
        os.close(write)
        opened.append(read)
        return ["--user", "anna", "--password-fd", str(read)]

    yield make
    for descriptor in opened:
        os.close(descriptor)


def test_create_with_a_recovery_file_confirms_it(tmp_path, password, capsys):
    wiring = Wiring()
    code_file = tmp_path / "code"
    fd = password("longpassword")[2:]
    arguments = ["site", "create", str(tmp_path / "new"), "--name", "Clinic", "--admin", "anna", *fd]
    assert call([*arguments, "--recovery-file", str(code_file), "--json"], wiring) == 0
    assert wiring.made.asked == ("new", "Clinic", "anna", "longpassword")
    assert wiring.made.pending.state == "confirmed"
    assert code_file.read_text(encoding="utf-8").strip() == CODE
    captured = capsys.readouterr()
    assert json.loads(captured.out)["name"] == "Clinic"
    assert "longpassword" not in captured.out + captured.err
    assert CODE not in captured.out + captured.err


def test_create_leaves_nothing_if_the_recovery_file_cannot_be_written(tmp_path, password):
    wiring = Wiring()
    taken = tmp_path / "code"
    taken.write_text("x", encoding="utf-8")
    arguments = ["site", "create", str(tmp_path / "new"), "--name", "C", "--admin", "a", *password("pw")[2:]]
    assert call([*arguments, "--recovery-file", str(taken)], wiring) == 1
    assert wiring.made.pending.state == "discarded"
    assert taken.read_text(encoding="utf-8") == "x"


@pytest.mark.parametrize("case", [(CODE, "confirmed", 0), ("wrong", "discarded", 1)])
def test_the_code_has_to_be_typed_back(tmp_path, password, monkeypatch, capsys, case):
    typed, state, code = case
    wiring = Wiring()
    monkeypatch.setattr("ert.cli.credentials.ask_line", lambda _prompt: typed)
    arguments = ["site", "create", str(tmp_path / "new"), "--name", "C", "--admin", "a", *password("pw")[2:]]
    assert call(arguments, wiring) == code
    assert wiring.made.pending.state == state
    assert CODE in capsys.readouterr().err


def test_list_gives_ids_of_patients_courses_and_plans(tmp_path, password, capsys):
    wiring = Wiring()
    assert call(["list", "--site", str(tmp_path / "site"), "--json", *password("right")], wiring) == 0
    (patient,) = json.loads(capsys.readouterr().out)["patients"]
    assert (patient["id"], patient["medical_record_number"], patient["birth_date"]) == ("p1", "M1", "1950-02-03")
    (course,) = patient["courses"]
    assert (course["id"], course["plans"][0]["id"], course["plans"][0]["revision"]) == ("c1", "plan1", 3)
    assert wiring.made.store.is_closed


def test_list_without_json_names_the_plan(tmp_path, password, capsys):
    assert call(["list", "--site", str(tmp_path / "site"), *password("right")], Wiring()) == 0
    text = capsys.readouterr().out
    for wanted in ("Doe", "M1", "Course 1", "Chest", "plan1"):
        assert wanted in text


def test_a_wrong_password_is_refused(tmp_path, password, capsys):
    assert call(["list", "--site", str(tmp_path / "site"), *password("wrong")], Wiring()) == 1
    assert "User or password are wrong" in capsys.readouterr().err


def test_a_folder_that_is_no_site_is_refused_before_any_password(tmp_path, capsys):
    assert call(["list", "--site", str(tmp_path / "other"), "--user", "anna"], Wiring()) == 1
    assert "is no ERT site" in capsys.readouterr().err


@pytest.mark.parametrize(("severity", "code"), [(Severity.BLOCKER, 1), (Severity.NOTE, 0)])
def test_check_fails_on_damage_only(tmp_path, password, capsys, severity, code):
    wiring = Wiring((Finding(severity=severity, code="X", sentence="A file is missing."),))
    assert call(["check", "--site", str(tmp_path / "site"), "--json", *password("right")], wiring) == code
    answer = json.loads(capsys.readouterr().out)
    assert answer["is_sound"] is (code == 0)
    assert answer["findings"][0]["sentence"] == "A file is missing."


@pytest.mark.parametrize("case", [("wrong", 4, 3), ("right", 0, 4), ("right", 1, 2), ("right", 2, 0), ("right", 5, 2)])
def test_check_has_exit_codes_of_its_own(tmp_path, password, capsys, case):
    word, level, code = case
    arguments = ["check", "--site", str(tmp_path), "--level", str(level), "--json", *password(word)]
    assert call(arguments, Wiring()) == code
    answer = capsys.readouterr().out
    assert (json.loads(answer)["level"] == 2) if code == 0 else (level == 5 or "error" in json.loads(answer))


def test_gui_and_demo_are_started(tmp_path):
    wiring = Wiring()
    assert call(["gui", "--site", str(tmp_path)], wiring) == 0
    assert wiring.started == ("gui", tmp_path)
    assert call(["demo", "--out", str(tmp_path), "--no-window"], wiring) == 0
    assert wiring.started == ("demo", tmp_path, False)


def test_without_records_the_verbs_say_so(tmp_path, capsys):
    assert call(["list", "--site", str(tmp_path)]) == 1
    assert "has no records" in capsys.readouterr().err
