"""installer/bootstrap.py: what it installs, what it says when it cannot, and that codes pass through."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "installer/bootstrap.py"


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, working on a checkout of its own under tmp_path."""
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / ".venv"
    paths = {"ROOT": tmp_path, "VENV": venv, "BIN": venv / "bin", "LOCK": tmp_path / "requirements.lock"}
    paths |= {"STAMP": venv / "ert-stamp", "LOG": venv / "ert-install.log"}
    for name, path in paths.items():
        monkeypatch.setattr(module, name, path)
    for name in ("requirements.lock", "pyproject.toml", "setup.py"):
        (tmp_path / name).write_text(f"{name}\n")
    (venv / "bin").mkdir(parents=True)
    return module


@pytest.fixture
def commands(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every command of subprocess.run and run_pip, in order, instead of running it."""
    seen: list[list[str]] = []

    def record(command: list[str], **_: object) -> SimpleNamespace:
        seen.append(command)
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(bootstrap.subprocess, "run", record)
    monkeypatch.setattr(bootstrap, "run_pip", seen.append)
    return seen


def program(bootstrap: ModuleType, name: str, text: str) -> None:
    path = bootstrap.BIN / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_an_old_python_can_read_the_script_and_is_told_what_to_do(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 2))
    assert bootstrap.main(["demo"]) == 1
    assert "Python 3.11 or newer is needed" in capsys.readouterr().err


def test_only_the_standard_library_is_imported():
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    plain = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    from_ = {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert plain | from_ <= sys.stdlib_module_names


def test_a_library_that_is_missing_names_its_debian_package(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bootstrap, "is_loadable", lambda library: library != "libEGL.so.1")
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: "/usr/bin/Xvfb")
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda _: None)
    missing = bootstrap.find_missing_packages(with_window=True, with_xvfb=True)
    assert missing == ["libegl1", "python3-venv"]


def test_the_dynamic_linker_is_asked(bootstrap: ModuleType):
    assert bootstrap.is_loadable("libc.so.6")
    assert not bootstrap.is_loadable("libert-does-not-exist.so.1")


@pytest.mark.usefixtures("commands")
def test_without_root_the_one_command_is_printed(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bootstrap, "find_missing_packages", lambda **_: ["libgl1", "libegl1"])
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)
    with pytest.raises(bootstrap.SetupError, match="sudo apt-get install -y --no-install-recommends libgl1 libegl1"):
        bootstrap.ensure_system_packages("demo")


def test_as_root_the_packages_are_installed(
    bootstrap: ModuleType, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bootstrap, "find_missing_packages", lambda **_: ["libgl1"])
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)
    bootstrap.ensure_system_packages("demo")
    assert commands == [
        ["apt-get", "update"],
        ["apt-get", "install", "-y", "--no-install-recommends", "libgl1"],
    ]


@pytest.mark.parametrize(
    ("verb", "display", "expected"),
    [
        ("demo", "", (False, False)),
        ("demo", ":0", (True, False)),
        ("gui", "", (True, False)),
        ("test", "", (False, True)),
    ],
)
def test_a_user_without_root_is_asked_only_for_what_the_verb_needs(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, verb: str, display: str, expected: tuple[bool, bool]
):
    asked = []
    monkeypatch.setattr(bootstrap, "find_missing_packages", lambda **options: asked.append(options) or [])
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("DISPLAY", display)
    bootstrap.ensure_system_packages(verb)
    assert asked == [{"with_window": expected[0], "with_xvfb": expected[1]}]


@pytest.mark.parametrize(
    "case",
    [(0, False, 0, True, "installing"), (0, False, 1, True, "skipped"), (1000, False, 0, False, "skipped"),
     (0, True, 0, False, "")],
)  # fmt: skip
def test_a_database_server_is_installed_for_tests_where_it_can_be_and_never_demanded(
    bootstrap: ModuleType,
    commands: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: tuple[int, bool, int, bool, str],
):
    user_id, is_there, code, installs, says = case
    programs = bootstrap.ROOT / "postgresql"
    monkeypatch.setattr(bootstrap, "SERVER_PROGRAMS", (programs, "*/bin/initdb", "postgresql"))
    if is_there:
        (programs / "15" / "bin").mkdir(parents=True)
        (programs / "15" / "bin" / "initdb").touch()
    record = bootstrap.subprocess.run
    monkeypatch.setattr(
        bootstrap.subprocess, "run", lambda *a, **k: record(*a, **k) and SimpleNamespace(returncode=code)
    )
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: user_id)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: "/usr/bin/apt-get")
    bootstrap.offer_database_server()
    assert [c[-1] for c in commands] == (["update", "postgresql"] if installs else [])
    assert says in capsys.readouterr().out


def test_packages_come_from_the_lock_with_hashes_and_only_once(bootstrap: ModuleType, commands: list[list[str]]):
    bootstrap.ensure_environment()
    locked = next(command for command in commands if str(bootstrap.LOCK) in command)
    assert {"--require-hashes", "--no-deps", ":all:"} <= set(locked)
    assert "--editable" in commands[-2]
    assert commands[-1][-1] == "selftest"
    program(bootstrap, "ert", "exit 0")
    commands.clear()
    bootstrap.ensure_environment()
    assert commands == []


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml", "setup.py"])
def test_a_changed_source_of_the_environment_installs_again(
    bootstrap: ModuleType, commands: list[list[str]], changed: str
):
    bootstrap.ensure_environment()
    program(bootstrap, "ert", "exit 0")
    commands.clear()
    with (bootstrap.ROOT / changed).open("a") as source:
        source.write("# changed\n")
    bootstrap.ensure_environment()
    assert any(str(bootstrap.LOCK) in command for command in commands)


def test_no_stamp_is_left_when_pip_fails(bootstrap: ModuleType, commands: list[list[str]]):
    bootstrap.ensure_environment()

    def fail(_: list[str]) -> None:
        raise bootstrap.SetupError("pip")

    bootstrap.run_pip = fail
    bootstrap.LOCK.write_text("other\n")
    with pytest.raises(bootstrap.SetupError, match="pip"):
        bootstrap.ensure_environment()
    assert not bootstrap.STAMP.exists()


def test_pip_failing_says_why_and_where_the_log_is(bootstrap: ModuleType):
    script = "print('Collecting a'); print('ERROR: THESE PACKAGES DO NOT MATCH THE HASHES'); raise SystemExit(1)"
    with pytest.raises(bootstrap.SetupError, match="not the one that was locked") as raised:
        bootstrap.run_pip([sys.executable, "-c", script])
    assert str(bootstrap.LOG) in str(raised.value)
    assert "DO NOT MATCH" in bootstrap.LOG.read_text()


@pytest.mark.parametrize(("verb", "code"), [("demo", 3), ("gui", 0)])
def test_the_exit_code_of_the_program_is_passed_on(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, verb: str, code: int
):
    monkeypatch.setattr(bootstrap, "ensure_system_packages", lambda _: None)
    monkeypatch.setattr(bootstrap, "offer_database_server", lambda: None)
    monkeypatch.setattr(bootstrap, "ensure_environment", lambda: None)
    program(bootstrap, "ert", f'echo "$@" > arguments; exit {code}')
    assert bootstrap.main([verb, "--out", "here"]) == code
    assert (bootstrap.ROOT / "arguments").read_text().split() == [verb, "--out", "here"]


@pytest.mark.parametrize(("mypy", "pytest_", "expected"), [(0, 0, 0), (4, 0, 4), (0, 5, 5), (4, 5, 5)])
def test_all_checks_run_and_pytest_speaks_last(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, mypy: int, pytest_: int, expected: int
):
    monkeypatch.setattr(bootstrap, "ensure_system_packages", lambda _: None)
    monkeypatch.setattr(bootstrap, "offer_database_server", lambda: None)
    monkeypatch.setattr(bootstrap, "ensure_environment", lambda: None)
    codes = {"ruff": 0, "mypy": mypy, "lint-imports": 0, "pytest": pytest_}
    for name, code in codes.items():
        program(bootstrap, name, f'echo {name} "$@" >> ran; exit {code}')
    assert bootstrap.main(["test", "-k", "water"]) == expected
    ran = (bootstrap.ROOT / "ran").read_text().splitlines()
    assert ran == ["ruff format --check .", "ruff check .", "mypy", "lint-imports --no-logo", "pytest -k water"]


@pytest.mark.parametrize(
    ("part", "code"), [("tests/integration ", 1), ("tests/ui", 5), ("tests/integration/storage", 2), ("no", 0)]
)
def test_all_tests_run_in_parts_and_a_failure_of_any_counts(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], part: str, code: int
):
    monkeypatch.setattr(bootstrap, "prepare", lambda: 0)
    program(bootstrap, "pytest", f'echo ran "$@"; case "$*" in "{part}"*|*" {part}"*) exit {code};; esac')
    assert bootstrap.run_everything() == code
    told = capfd.readouterr().out
    assert told.count("ran ") == len(bootstrap.PARTS)
    assert all(folder in told for part in bootstrap.PARTS for folder in part)


@pytest.fixture
def everything(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """For `main(["test"])` in a new environment: what runs, in order, and with which exit codes."""
    for name in ("ensure_system_packages", "install_packages", "offer_database_server"):
        monkeypatch.setattr(bootstrap, name, lambda *_: None)
    seen = SimpleNamespace(ran=[], codes={})
    engines_done = threading.Event()

    def run(command: list[str], _output: object = None) -> int:
        seen.ran.append(" ".join(command[:2]))
        if command == ["ert", "selftest"]:
            assert engines_done.wait(60)  # until the second part runs
        if command[0] == "pytest" and command[1:] == bootstrap.PARTS[1]:
            engines_done.set()
        return seen.codes.get(command[0], 0)

    monkeypatch.setattr(bootstrap, "run_inner", run)
    return seen


def test_the_engines_of_a_new_environment_are_tested_beside_the_tests_that_compute_no_dose(
    bootstrap: ModuleType, everything: SimpleNamespace
):
    assert bootstrap.main(["test"]) == 0
    ran = everything.ran
    steps = ["ert selftest", "ruff format", "mypy", "lint-imports --no-logo", "pytest tests/unit"]
    assert [text for text in ran if text in steps] == steps
    assert ran.index(f"pytest {bootstrap.PARTS[1][0]}") < ran.index("ruff format")
    assert len([text for text in ran if text.startswith("pytest")]) == len(bootstrap.PARTS)
    program(bootstrap, "ert", "exit 0")
    ran.clear()
    assert bootstrap.main(["test"]) == 0
    assert "ert selftest" not in ran


@pytest.mark.parametrize(("failing", "code"), [("ert", 1), ("mypy", 4)])
def test_wrong_engines_end_the_command_and_a_failing_check_counts_beside_all_tests(
    bootstrap: ModuleType, everything: SimpleNamespace, capfd: pytest.CaptureFixture[str], failing: str, code: int
):
    everything.codes[failing] = code
    assert bootstrap.main(["test"]) == code
    assert ("pytest tests/unit" in everything.ran) is (failing == "mypy")
    assert ("did not pass its self-test" in capfd.readouterr().err) is (failing == "ert")
    assert bootstrap.STAMP.exists() is (failing == "mypy")


def test_each_test_file_is_in_exactly_one_part(bootstrap: ModuleType):
    def files_of(part: list[str]) -> list[Path]:
        ignored = [ROOT / entry.removeprefix("--ignore=") for entry in part if entry.startswith("--ignore=")]
        folders = [ROOT / entry for entry in part if not entry.startswith("-")]
        found = [file for folder in folders for file in folder.rglob("test_*.py")]
        return [file for file in found if not any(folder in file.parents for folder in ignored)]

    shared_out = [file for part in bootstrap.PARTS for file in files_of(part)]
    assert sorted(shared_out) == sorted((ROOT / "tests").rglob("test_*.py"))


def test_an_unknown_verb_is_wrong_usage():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "fly"], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 2
    assert "demo" in done.stderr
