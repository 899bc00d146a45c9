"""From a fresh checkout to a running program, with nothing but a stock Python.

python3 installer/bootstrap.py demo    compute the built-in demo patient; opens a window if there is a display
python3 installer/bootstrap.py test    format, lint, types, import contracts, then all tests
python3 installer/bootstrap.py check   the same without the tests
python3 installer/bootstrap.py gui     the planning program

What stands after the verb goes to the program (demo, gui) or to pytest (test).
The exit code is that of the inner command; 1 if the environment could not be made.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "ert-stamp"
LOG = VENV / "ert-install.log"
MINIMUM_PYTHON = (3, 11)

# What must be loadable, and the Debian package that brings it.
LIBRARIES = {  # Qt and VTK, off-screen
    "libglib-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
}
WINDOW_LIBRARIES = {  # a real X11 window
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libXcursor.so.1": "libxcursor1",
}
PROGRAMS = {"Xvfb": "xvfb"}
# Tests only, and only where it can be had: without it the tests on a database server are skipped.
SERVER_PROGRAMS = (Path("/usr/lib/postgresql"), "*/bin/initdb", "postgresql")

CHECKS = (
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("types", ["mypy"]),
    ("import contracts", ["lint-imports", "--no-logo"]),
)
# Two parts run at a time, in this order, because most tests keep one processor busy; the first is watched. The last are
# short, so that no processor stands still at the end.
OWN_PARTS = [f"tests/integration/{name}" for name in ("storage", "identity", "app")]
PARTS = (
    ["tests/unit", "tests/property", "tests/ui"],
    *([folder] for folder in OWN_PARTS),
    ["tests/integration", *(f"--ignore={folder}" for folder in OWN_PARTS)],
)


class SetupError(Exception):
    """The environment could not be made; the text tells the user why and what to do."""


def say(text: str) -> None:
    """Print one progress line at once, so that it stands before the inner command's output."""
    print(f"[ert] {text}", flush=True)


def require_python() -> None:
    """Raise SetupError on a Python that the program does not run on."""
    if sys.version_info < MINIMUM_PYTHON:
        found, wanted = (".".join(map(str, v[:2])) for v in (sys.version_info, MINIMUM_PYTHON))
        raise SetupError(
            f"Python {wanted} or newer is needed; {sys.executable} is {found}.\n"
            f"Install it and run this again with it, for example: python{wanted} installer/bootstrap.py demo"
        )


def is_loadable(library: str) -> bool:
    """Whether the dynamic linker finds a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def find_missing_packages(*, with_window: bool, with_xvfb: bool) -> list[str]:
    """Debian names of the system packages whose library, program or module is not there."""
    libraries = {**LIBRARIES, **(WINDOW_LIBRARIES if with_window else {})}
    missing = [package for library, package in libraries.items() if not is_loadable(library)]
    if with_xvfb:
        missing += [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if importlib.util.find_spec("ensurepip") is None:
        missing.append("python3-venv")
    return missing


def ensure_system_packages(verb: str) -> None:
    """Install everything missing (Debian or Ubuntu, as root); else raise SetupError if the verb cannot do without."""
    if sys.platform != "linux":
        return
    is_root = os.geteuid() == 0
    with_window = is_root or verb == "gui" or bool(os.environ.get("DISPLAY"))
    missing = find_missing_packages(with_window=with_window, with_xvfb=is_root or verb == "test")
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise SetupError(
            f"These system libraries are missing (Debian names; install your system's): {' '.join(missing)}"
        )
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if not is_root:
        raise SetupError(
            f"System packages are missing. Run this once, then the same command again:\n  sudo {' '.join(command)}"
        )
    say(f"installing {len(missing)} system packages: {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update"], command):
        done = subprocess.run(step, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SetupError(f"'{' '.join(step)}' failed; is there a network?\n{tail(done.stdout + done.stderr)}")
    importlib.invalidate_caches()


def offer_database_server() -> None:
    """Install PostgreSQL for the tests if that is possible here (Debian or Ubuntu, as root); never an error."""
    folder, pattern, package = SERVER_PROGRAMS
    if sys.platform != "linux" or any(folder.glob(pattern)):
        return
    is_possible = os.geteuid() == 0 and shutil.which("apt-get") is not None
    if is_possible:
        say(f"installing the system package {package} for the tests on a database server")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]):
            done = subprocess.run(step, env=environment, capture_output=True, text=True, check=False)
            is_possible = is_possible and done.returncode == 0
    if not is_possible:
        say(f"without the system package {package} the tests on a database server are skipped")


def tail(text: str, lines: int = 12) -> str:
    """Return the last lines of a program's output."""
    return "\n".join(text.strip().splitlines()[-lines:])


def compute_stamp() -> str:
    """Return the digest of everything the environment is made from."""
    digest = hashlib.sha256(f"{sys.version_info[:3]} {ROOT}".encode())
    for source in (LOCK, ROOT / "pyproject.toml", ROOT / "setup.py"):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def is_ready() -> bool:
    """Whether .venv was made from this very lock file, and its dose engines passed their test."""
    return STAMP.is_file() and STAMP.read_text(encoding="ascii") == compute_stamp() and (BIN / "ert").exists()


def ensure_environment() -> None:
    """Make .venv from the lock file and test the dose engines, unless that was done already."""
    if not is_ready():
        install_packages()
        test_engine()


def install_packages() -> None:
    """Make .venv from the lock file."""
    python = BIN / "python"
    if not can_run(python):
        say(f"making {VENV.name} with Python {'.'.join(map(str, sys.version_info[:3]))}")
        done = subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise SetupError(f"The virtual environment could not be made:\n{tail(done.stdout + done.stderr)}")
    STAMP.unlink(missing_ok=True)
    LOG.unlink(missing_ok=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar", "off"]
    locked = LOCK.read_text(encoding="utf-8").count("==")
    say(f"installing the locked packages (up to {locked}, about 450 MB the first time)")
    run_pip([*pip, "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(LOCK)])
    say("installing the project itself")
    run_pip([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])


def test_engine() -> None:
    """Compile the dose engines and compare them with doses they are known to give: first doses are quick, and right.

    Then the environment is ready.
    """
    say("compiling and testing the dose engines (two to three minutes)")
    if run_inner(["ert", "selftest"]) != 0:
        raise SetupError("The dose engine did not pass its self-test; the reason stands above.")
    STAMP.write_text(compute_stamp(), encoding="ascii")


def can_run(python: Path) -> bool:
    """Whether an environment's interpreter is there, starts, has pip and is the Python that runs this file."""
    script = "import pip, sys; print(sys.version_info[:2])"
    try:
        done = subprocess.run([str(python), "-c", script], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == str(sys.version_info[:2])


def run_pip(command: list[str]) -> None:
    """Run pip, count packages as it collects them, keep its whole output in the log; raise SetupError if it fails."""
    collected, lines = 0, []
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    )
    with process, LOG.open("a", encoding="utf-8") as log:
        for line in process.stdout or ():
            log.write(line)
            lines.append(line)
            collected += line.startswith("Collecting ")
            if line.startswith("Collecting ") and collected % 20 == 0:
                say(f"  {collected} packages")
            if line.startswith("Installing collected packages"):
                say("  unpacking")
    if process.returncode != 0:
        raise SetupError(explain_pip("".join(lines)))


def explain_pip(output: str) -> str:
    """Return a sentence on why pip failed, with the end of its output."""
    signs = {
        "No space left on device": "The disk is full.",
        "DO NOT MATCH THE HASHES": "A downloaded file is not the one that was locked. Nothing was installed from it.",
        "NewConnectionError": "The package index could not be reached: check the network and the proxy settings.",
        "Temporary failure in name resolution": "The package index could not be reached: check the network.",
        "No matching distribution": "The package index has no build of a locked package for this Python and system.",
    }
    reason = next((text for sign, text in signs.items() if sign in output), "The packages could not be installed.")
    return f"{reason} Run the same command again when it is put right.\n(whole output: {LOG})\n{tail(output)}"


def run_inner(command: list[str], output: IO[str] | None = None) -> int:
    """Run a program of the environment in the checkout, and return its exit code."""
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT, env={**os.environ, "PATH": path}, stdout=output, stderr=output, check=False,
    ).returncode  # fmt: skip


def run_everything() -> int:
    """Test new engines, check, run all tests in parts, two side by side; return the first failing exit code.

    The first part is watched, then the others. It waits for the engines and the checks, which keep one processor busy;
    the second part, which computes no dose, begins at once.
    """

    def run_part(part: list[str], output: IO[str] | None) -> int:
        code = prepare() if output is None else 0
        return run_inner(["pytest", *part], output) or code

    with contextlib.ExitStack() as stack:
        outputs = [None] + [stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in PARTS[1:]]
        with ThreadPoolExecutor(2) as beside:
            codes = list(beside.map(run_part, PARTS, outputs))
        for output in filter(None, outputs):
            output.seek(0)
            sys.stdout.write(output.read())
        sys.stdout.flush()
    return next((code for code in codes if code != 0), 0)


def prepare() -> int:
    """Test the engines of a new environment, then run the checks; return their exit code."""
    if not is_ready():
        test_engine()
    code = run_checks()
    say("tests")
    return code


def run_checks() -> int:
    """Run every check even if one fails, and return the first failing exit code."""
    failures = []
    for title, command in CHECKS:
        say(title)
        code = run_inner(command)
        if code != 0:
            say(f"{title}: FAILED ({' '.join(command)})")
            failures.append(code)
    return failures[0] if failures else 0


def main(arguments: list[str]) -> int:
    """Set up what is missing, run the verb, and return the process exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("demo", "test", "check", "gui"))
    chosen, rest = parser.parse_known_args(arguments)
    started = time.monotonic()
    try:
        require_python()
        ensure_system_packages(chosen.verb)
        if chosen.verb == "test":
            offer_database_server()
        if chosen.verb == "test" and not rest:
            if not is_ready():
                install_packages()
            say(f"installed after {time.monotonic() - started:.0f} s")
            return run_everything()
        ensure_environment()
    except SetupError as error:
        print(f"[ert] {error}", file=sys.stderr)
        return 1
    say(f"ready after {time.monotonic() - started:.0f} s")
    if chosen.verb in ("demo", "gui"):
        return run_inner(["ert", chosen.verb, *rest])
    code = run_checks()
    if chosen.verb == "test":
        say("tests")
        code = run_inner(["pytest", *rest]) or code  # last: pytest's summary closes the output
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
