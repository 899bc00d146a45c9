"""Build the demo machine package from its beam data: ``python tools/build_demo_machine.py [FOLDER]``.

The beam data are a Monte Carlo calculation (EGSnrc) of a synthetic electron head; the package is marked
"DEMO, not for clinical use". The result is checked in as resources/demo_machine/package; a test builds it again.
The known doses of the self-test (`ert.app.selftest`) belong to it and are written beside it.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from ert.app.selftest import known_answers_file, sample_doses
from ert.commissioning.commission import commission
from ert.commissioning.package import write_package
from ert.settings import resources_dir


def main() -> None:
    """Fit the demo machine and write it."""
    home = resources_dir() / "demo_machine"
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else home / "package"
    done = commission(home / "beam_data", is_demo=True)
    if out.exists():
        shutil.rmtree(out)
    write_package(out, done.package)
    if out == home / "package":
        known_answers_file().write_text(json.dumps(sample_doses(done.package), indent=0) + "\n", encoding="ascii")
    sys.stdout.write(f"{out}: digest {done.package.digest}\n")


if __name__ == "__main__":
    main()
