"""Write THIRD_PARTY_LICENSES: package, version and licence of everything requirements.lock installs.

.venv/bin/python installer/licences.py            write the list
.venv/bin/python installer/licences.py --check    exit code 1 if the list is not that of the lock file

The licence is what the installed package's own metadata says: its SPDX expression, else its classifiers, else its text.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "THIRD_PARTY_LICENSES"
PROGRAM_EXTRAS = ("network", "keyring", "server", "identity", "cluster")
HEADER = """\
Third-party packages that an installation of ERT contains, with the licence each states in its own metadata.
Written by installer/licences.py from the installed packages; the full texts lie in .venv beside each package.
Qt (PySide6_Essentials, shiboken6) is used under the LGPL version 3: its libraries are separate files that the
user may replace. python-gdcm and vtk contain further libraries under BSD-like licences, named in their own files.
"""
# Read from the licence file inside the package, where the metadata names none.
READ_BY_HAND = {"sqlcipher3": "Zlib; contains SQLCipher, BSD-3-Clause"}


def normalise(name: str) -> str:
    """Return a package name in the form the lock file uses."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_locked() -> dict[str, str]:
    """Return name → version of every package the lock file installs on this Python and system."""
    lines = [line.rstrip("\\ ") for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()]
    requirements = [Requirement(line) for line in lines if line and line[0] not in "# "]
    wanted = [r for r in requirements if r.marker is None or r.marker.evaluate()]
    return {normalise(r.name): next(iter(r.specifier)).version for r in wanted}


def find_program_packages() -> set[str]:
    """Return the packages that the program itself needs, directly or through another package."""
    found: set[str] = set()
    waiting: list[tuple[str, tuple[str, ...]]] = [("ert", ("", *PROGRAM_EXTRAS))]
    while waiting:
        name, extras = waiting.pop()
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            needed = requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in extras)
            if needed and normalise(requirement.name) not in found:
                found.add(normalise(requirement.name))
                waiting.append((requirement.name, ("", *requirement.extras)))
    return found


def read_licence(name: str) -> str:
    """Return the licence that an installed package states, in one line."""
    stated = metadata.metadata(name)
    classifiers = [c.rpartition(" :: ")[2] for c in stated.get_all("Classifier") or () if c.startswith("License ::")]
    fields = {field: stated[field] for field in ("License", "License-Expression") if field in stated}
    text = fields.get("License", "").strip().partition("\n")[0]
    found = fields.get("License-Expression") or ", ".join(classifiers) or text or READ_BY_HAND.get(name)
    if not found:
        raise ValueError(f"{name} states no licence in its metadata: look it up before it is used")
    return found


def compose() -> str:
    """Return the whole list as text."""
    locked, program = read_locked(), find_program_packages()
    parts = [HEADER]
    for title, names in (("Program", locked.keys() & program), ("Development and tests", locked.keys() - program)):
        parts.append(f"\n{title}\n")
        parts += [f"  {name:<20} {locked[name]:<18} {read_licence(name)}\n" for name in sorted(names)]
    return "".join(parts)


def main(arguments: list[str]) -> int:
    """Write the list, or compare it; return the process exit code."""
    text = compose()
    if arguments == ["--check"]:
        if TARGET.read_text(encoding="utf-8") == text:
            return 0
        print("THIRD_PARTY_LICENSES is not that of requirements.lock: run installer/licences.py", file=sys.stderr)
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
