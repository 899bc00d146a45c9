"""``ert backup``, ``ert restore``, ``ert check`` on a real site: what they print, and their exit codes."""

import datetime as dt
import json
import os

import pytest

from ert.cli.main import call
from ert.domain.account import Feature, Grant, Level
from ert.storage.assembly import SiteOptions
from ert.storage.maintenance import SiteCare
from ert.storage.presence import SITE_LOCK, exclude, hold
from ert.storage.sites import Sites
from ert.storage.store_file import SANDBOX
from ert.storage.unlock import unlock_with_password
from tests.integration.storage import samples


class Wired:
    def __init__(self, anchors):
        self.anchors = anchors

    def gateway(self):
        return samples.sites(anchors=self.anchors)

    def care(self):
        return SiteCare(SiteOptions(anchor_folder=self.anchors))


@pytest.fixture
def root(tmp_path):
    root = samples.copied_site(tmp_path / "site")
    site = samples.open_site(root)
    course = samples.import_one(site)
    site.plans.save(samples.plan_of(course), base_revision=0, doses=[samples.dose()])
    site.close()
    return root


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))

    def command(*words, password=samples.PASSWORD, as_json=True, with_user=True, login=samples.LOGIN):
        reading, writing = os.pipe()
        os.write(writing, password.encode() + b"\n")
        os.close(writing)
        common = ["--user", login, "--password-fd", str(reading)] if with_user else []
        code = call([*map(str, words), *common, *(["--json"] if as_json else [])], Wired(tmp_path / "anchors"))
        os.close(reading)
        out, err = capsys.readouterr()
        assert samples.PASSWORD not in out + err
        return code, json.loads(out) if as_json and out else out, err

    return command


def test_the_way_of_a_backup_from_the_site_to_its_place_again(run, root, tmp_path):
    folder = tmp_path / "backups"
    code, made, _ = run("backup", "--site", root, "--to", folder)
    assert (code, made["state"], made["files"], made["verified_level"]) == (0, "complete", 4, 3)
    code, listed, _ = run("backup", "list", folder, with_user=False)
    assert (code, [b["id"] for b in listed["backups"]]) == (0, [made["id"]])
    code, verified, _ = run("backup", "verify", f"{folder}@{made['id']}")
    assert (code, verified) == (
        0,
        {"folder": str(folder), "id": made["id"], "level": 4, "is_sound": True, "findings": []},
    )
    code, restored, _ = run("restore", "--from", folder, "--to", tmp_path / "copy")
    assert (code, restored["id"], restored["findings"]) == (0, made["id"], [])
    code, text, _ = run("restore", "--to", tmp_path / "copy", "--activate", root, "--reason", "drill", as_json=False)
    assert code == 0
    assert "was kept" in text
    assert run("check", "--site", root)[0] == 0
    code, patients, _ = run("list", "--site", root)
    assert (code, len(patients["patients"])) == (0, 1)


def test_backup_prunes_by_the_rule_it_is_given(run, root, tmp_path):
    folder = tmp_path / "backups"
    first = run("backup", "--site", root, "--to", folder)[1]["id"]
    code, made, _ = run("backup", "--site", root, "--to", folder, "--keep-daily", "1")
    assert (code, made["removed"]) == (0, [first])
    code, pruned, _ = run("backup", "prune", folder, "--keep-weekly", "1")
    assert (code, pruned["removed"], pruned["kept"]) == (0, [], [made["id"]])


def test_refusals_end_with_1_and_leave_everything(run, root, tmp_path):
    folder = tmp_path / "backups"
    run("backup", "--site", root, "--to", folder)
    for words in (
        ("backup", "--site", tmp_path / "nowhere", "--to", folder),
        ("backup", "--site", root, "--to", root / "backups"),
        ("backup", "prune", folder),
        ("backup", "verify", tmp_path),
        ("backup", "verify", f"{folder}@20200101T000000-000000Z"),
        ("restore", "--from", folder, "--to", root),
        ("restore", "--from", tmp_path / "nothing", "--to", tmp_path / "copy"),
        ("restore", "--to", root, "--activate", tmp_path / "elsewhere", "--reason", "x"),
    ):
        code, answer, err = run(*words)
        assert (code, err.startswith("ert: ")) == (1, True), words
        assert answer["error"]["sentence"]
    assert run("backup", "--site", root, "--to", folder, password="wrong")[0] == 1
    assert run("backup", "list", folder, with_user=False)[1]["backups"][0]["state"] == "complete"
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("backup",),
        ("backup", "--site", "x"),
        ("restore", "--to", "x"),
        ("restore", "--to", "x", "--from", "y", "--activate", "z"),
        ("check", "--site", "x", "--level", "5"),
        ("backup", "--site", "x", "--to", "y", "--level", "2"),
    ],
)
def test_wrong_usage_ends_with_2(run, words):
    code, _, err = run(*words)
    assert code == 2
    assert err


def test_a_damaged_backup_ends_with_1_and_names_the_file(run, root, tmp_path):
    folder = tmp_path / "backups"
    run("backup", "--site", root, "--to", folder)
    path = next((folder / "files").rglob("*.erte"))
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    code, answer, err = run("backup", "verify", folder)
    assert (code, answer["is_sound"], [f["code"] for f in answer["findings"]]) == (1, False, ["CHECK-FILE"])
    (original,) = [p for p in (root / "data").rglob("*.erte") if p.stat().st_size == path.stat().st_size + 1]
    assert original.name in answer["findings"][0]["subject"]
    assert "ert: " in err
    code, answer, _ = run("restore", "--from", folder, "--to", tmp_path / "copy")
    assert (code, answer["error"]["code"]) == (1, "ERT-410")


def test_a_damaged_site_is_backed_up_as_incomplete_and_ends_with_1(run, root, tmp_path):
    next((root / "data").rglob("*.erte")).unlink()
    code, made, err = run("backup", "--site", root, "--to", tmp_path / "backups")
    assert (code, made["state"]) == (1, "incomplete")
    assert "damaged already" in err


def test_exit_codes_of_check(run, root, tmp_path):
    assert run("check", "--site", root, "--level", "0")[0] == 0
    assert run("check", "--site", root, password="wrong")[0] == 3
    assert run("check", "--site", tmp_path)[0] == 2
    lock = exclude(root, busy=None)
    code, answer, _ = run("check", "--site", root)
    lock.release()
    assert (code, answer["error"]["code"]) == (4, "ERT-310")
    next((root / "data").rglob("*.erte")).unlink()
    code, answer, _ = run("check", "--site", root)
    assert (code, answer["level"], answer["findings"][0]["code"]) == (1, 4, "CHECK-FILE")
    assert run("check", "--site", root, "--level", "2")[0] == 0


def test_activation_waits_for_those_who_have_the_site_open(run, root, tmp_path):
    run("backup", "--site", root, "--to", tmp_path / "backups")
    run("restore", "--from", tmp_path / "backups", "--to", tmp_path / "copy")
    presence = hold(root, unlock_with_password(root, login=samples.LOGIN, password=samples.PASSWORD).vault)
    code, answer, _ = run("restore", "--to", tmp_path / "copy", "--activate", root, "--reason", "drill")
    presence.release()
    assert (code, answer["error"]["code"]) == (1, "ERT-310")
    assert (root / SITE_LOCK).exists()
    assert (tmp_path / "copy").is_dir()


def test_a_restore_is_accepted_with_a_reason(run, root, tmp_path):
    before = (root / "site.db").read_bytes()
    assert run("list", "--site", root)[0] == 0
    code, _, told = run("site", "accept-restore", "--site", root, "--reason", "to be sure", as_json=False)
    assert (code, "nothing to accept" in told) == (1, True)
    (root / "site.db").write_bytes(before)
    assert run("list", "--site", root)[0] == 1
    assert run("check", "--site", root)[0] == 1
    assert run("site", "accept-restore", "--site", root, "--reason", " ", as_json=False)[0] == 1
    assert run("site", "accept-restore", "--site", root, "--reason", "restored by hand", as_json=False)[0] == 0
    assert run("list", "--site", root)[0] == 0
    assert run("check", "--site", root)[0] == 0


def test_unused_files_are_cleared_away_on_request_and_once_a_day(run, root):
    orphans = [root / "data" / "left" / f"{n}.erte" for n in range(40)]
    orphans[0].parent.mkdir()
    for path in orphans:
        path.write_bytes(b"of a save that did not finish")
        os.utime(path, (1, 1))
    before = samples.open_site(root)
    assert before.is_sweep_due()
    before.close()
    code, swept, _ = run("site", "sweep", "--site", root)
    assert (code, len(swept["to_trash"]), swept["removed"]) == (0, 40, 0)
    assert sorted(swept["to_trash"])[0] == "data/left/0.erte"
    assert len(list((root / "trash").iterdir())) == 40
    for path in list((root / "trash").iterdir())[:3]:
        os.utime(path, (1, 1))
    code, swept, _ = run("site", "sweep", "--site", root)
    assert (code, swept) == (0, {"to_trash": [], "removed": 3, "freed_bytes": 87})
    code, text, _ = run("site", "sweep", "--site", root, as_json=False)
    assert text.startswith("0 unused files went to trash/, where they lie for 30 days; 0 that lay there for longer")
    now = dt.datetime.now(dt.UTC)
    for ahead, is_due in ((dt.timedelta(hours=23), False), (dt.timedelta(hours=25), True)):
        options = SiteOptions(clock=lambda ahead=ahead: now + ahead)
        site = Sites(options, kind=SANDBOX, kdf=samples.FAST).open(
            root, user_name=samples.LOGIN, password=samples.PASSWORD
        )
        assert site.is_sweep_due() is is_due
        events = [entry.event for entry in site.activity.entries(limit=20)]
        site.close()
    assert events.count("unused files cleared away") == 2  # the third found nothing, which is no news
    assert run("check", "--site", root)[0] == 0


def test_what_removes_or_moves_files_takes_facility_configuration_and_nothing_else_does(run, root, tmp_path):
    folder = tmp_path / "backups"
    site = samples.open_site(root)
    for name, features in (("planner", ()), ("engineer", (Feature.FACILITY_CONFIGURATION,))):
        for is_administrator in (False, True):
            grant = Grant(level=Level.DEFAULT, features=frozenset(features), is_administrator=is_administrator)
            login = f"{name} {is_administrator}"
            site.accounts.add(login, password="Polonium-84!", grant=grant)
    site.close()
    for login in ("planner False", "planner True", "engineer False", "engineer True"):
        own = samples.sites().open(root, user_name=login, password="Polonium-84!")
        own.accounts.change_own_password("Polonium-84!", samples.PASSWORD)
        own.close()
    assert run("backup", "--site", root, "--to", folder)[0] == 0
    for login in ("planner False", "planner True", "engineer False", "engineer True"):
        may = login.startswith("engineer")
        for words in (
            ("backup", "prune", folder, "--keep-last", "9"),
            ("backup", "--site", root, "--to", folder, "--keep-last", "9"),
            ("site", "sweep", "--site", root),
            ("check", "--site", root, "--level", "0", "--quarantine"),
        ):
            code, answer, err = run(*words, login=login)
            assert (code == 0) is may, (login, words, answer, err)
            assert ("needs the feature Facility Configuration" in err) is not may, err
    assert run("backup", "--site", root, "--to", folder, login="planner False")[0] == 0
    assert run("check", "--site", root, "--level", "0", login="planner False")[0] == 0
