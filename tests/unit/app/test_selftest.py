"""The self-test finds an engine that gives other doses, and stops every way to a dose."""

import attrs
import pytest

from ert.app import selftest
from ert.app.selftest import read_known_doses, require_tested_engine, run_self_test
from ert.cli.selftest import drop_compiled_kernels
from ert.domain.algorithm import Algorithm
from ert.errors import SelfTestFailed
from tests.unit.dose.beams import demo


@pytest.mark.parametrize("algorithm", Algorithm)
def test_the_shipped_engine_gives_the_shipped_doses(algorithm):
    assert run_self_test(algorithm=algorithm).worst_frac < 1e-5


@pytest.mark.parametrize("algorithm", Algorithm)
def test_one_wrong_answer_of_an_engine_is_found(algorithm):
    known = read_known_doses()
    known[algorithm.value]["gantry 20"][150] += 1e-4
    with pytest.raises(SelfTestFailed, match=f"{algorithm.value} gives wrong doses"):
        run_self_test(demo(), algorithm=algorithm, known=known)


def test_a_model_one_in_a_thousand_off_is_found():
    models = tuple(
        attrs.evolve(m, electron_gy_per_mu=1.001 * m.electron_gy_per_mu) if m.energy_mev == 12.0 else m
        for m in demo().models
    )
    with pytest.raises(SelfTestFailed, match="wrong doses"):
        run_self_test(attrs.evolve(demo(), models=models))


def test_a_dose_that_is_no_number_is_found():
    known = read_known_doses()
    known["pencil-beam"]["gantry 0"][5] = float("nan")
    with pytest.raises(SelfTestFailed, match="wrong doses"):
        run_self_test(demo(), known=known)


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"gantry 0": 3}', '{"pencil-beam": {"gantry 0": ["x"]}}', "{}"])
def test_answers_that_cannot_be_read_fail(tmp_path, monkeypatch, text):
    file = tmp_path / "known.json"
    file.write_text(text, encoding="ascii")
    monkeypatch.setattr(selftest, "known_answers_file", lambda: file)
    with pytest.raises(SelfTestFailed):
        run_self_test(demo())


def test_a_failure_is_not_remembered_as_passed(tmp_path, monkeypatch):
    require_tested_engine.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(selftest, "known_answers_file", lambda: tmp_path / "absent.json")
        for _ in range(2):
            with pytest.raises(SelfTestFailed):
                require_tested_engine(Algorithm.PENCIL_BEAM)
    assert require_tested_engine(Algorithm.PENCIL_BEAM) is require_tested_engine(Algorithm.PENCIL_BEAM)


def test_fresh_drops_compiled_kernels_only(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (tmp_path / "a").mkdir()
    for name in ("a/x.nbc", "a/x.nbi", "a/keep.txt"):
        (tmp_path / name).write_text("", encoding="ascii")
    drop_compiled_kernels()
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["keep.txt"]
