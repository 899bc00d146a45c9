"""The machine file in the documentation is one that the program reads."""

import re

from ert.commissioning.scans.machine_file import read_machine_file


def test_the_example_of_the_documentation_is_read(repository, tmp_path):
    text = (repository / "docs" / "commissioning.md").read_text(encoding="utf-8")
    (example,) = (found for found in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[processing]" in found)
    (tmp_path / "linac.toml").write_text(example, encoding="utf-8")
    found = read_machine_file(tmp_path / "linac.toml")
    assert [a.id for a in found.machine.applicators] == ["A10", "A15"]
    assert [o.cgy_per_mu for o in found.outputs] == [1.0, 0.964]
    assert found.axes["RFA300", "x"] == ("inline", -1.0)
    assert (found.processing.is_effective_point, found.processing.resample_cm) == (True, 0.1)
    assert found.hints[1].curves == (1, 2, 3)
    assert found.is_size_of_open_applicator
