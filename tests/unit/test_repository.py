"""Rules of the house that a machine can check over the whole checkout."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
MODULE_CEILING, FUNCTION_CEILING, README_CEILING = 400, 60, 120
UNITS = r"(cm|mm)[23]?|cc|deg|rad2?|[mk]ev|c?gy|mu|g|hu|frac|pct|percent|m?s|seconds|px|pt|mb|ratio|factor|index|chi2"
WITH_UNIT = re.compile(rf"(^|_)({UNITS})$")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Lines of a function from `def` to its end, without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def is_float(annotation: ast.expr | None) -> bool:
    return annotation is not None and ast.unparse(annotation) in {"float", "float | None", "None | float"}


def public_floats(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of every float field, and every float parameter of a function, that others can see."""
    scopes: list[ast.Module | ast.ClassDef] = [tree]
    while scopes:
        for node in scopes.pop().body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                scopes.append(node)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and is_float(node.annotation):
                if not node.target.id.startswith("_"):
                    yield node.lineno, node.target.id
            elif isinstance(node, Function) and (node.name == "__init__" or not node.name.startswith("_")):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                yield from ((a.lineno, a.arg) for a in arguments if is_float(a.annotation))


def allowed_without_unit() -> set[str]:
    """Names in the glossary's table of numbers without a unit."""
    section = (ROOT / "docs/glossary.md").read_text(encoding="utf-8").partition("## Numbers without a unit")[2]
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return {found for row in rows for found in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_no_module_is_longer_than_the_ceiling():
    counts = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources("ert", "installer")}
    assert counts
    assert {path: lines for path, lines in counts.items() if lines > MODULE_CEILING} == {}


def test_no_function_is_longer_than_the_ceiling():
    long = [
        f"{name(path)}:{function.lineno} {function.name}: {body_lines(function)} lines"
        for path in sources("ert", "installer")
        for function in functions(ast.parse(path.read_text(encoding="utf-8")))
        if body_lines(function) > FUNCTION_CEILING
    ]
    assert long == []


def test_every_public_float_names_its_unit():
    allowed = allowed_without_unit()
    assert allowed, "docs/glossary.md lost its table 'Numbers without a unit'"
    unnamed = [
        f"{name(path)}:{line} {found}"
        for path in sources("ert")
        if path.parent != ROOT / "ert/geometry/kernels"  # loops that work in any unit
        for line, found in public_floats(ast.parse(path.read_text(encoding="utf-8")))
        if not WITH_UNIT.search(found) and found not in allowed
    ]
    advice = "add the unit to the name, or the name to docs/glossary.md, 'Numbers without a unit'"
    assert not unnamed, "\n".join([advice, *unnamed])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(depth: float, ssd_cm: float) -> None: ...", ["depth"]),
        ("def _f(depth: float) -> None: ...", []),
        ("class C:\n    dose: float | None = None\n    dose_gy: float = 0.0\n    _x: float = 0.0", ["dose"]),
        ("class C:\n    def __init__(self, *, energy: float) -> None: ...", ["energy"]),
    ],
)
def test_the_unit_rule_finds_what_it_is_for(source: str, expected: list[str]):
    found = [n for _, n in public_floats(ast.parse(source)) if not WITH_UNIT.search(n)]
    assert found == expected


def test_package_files_are_empty():
    # One that re-exports pulls its siblings into every importer and breaks the import contracts.
    filled = [name(path) for path in sources("ert") if path.name == "__init__.py" and path.read_bytes().strip()]
    assert filled == []


def test_every_folder_of_code_is_a_package():
    folders = {path.parent for path in sources("ert")} - {ROOT / "ert/storage/migrations/versions"}
    assert sorted(name(folder) for folder in folders if not (folder / "__init__.py").is_file()) == []


def test_unit_tests_mirror_the_packages():
    folders = {path.parent.relative_to(ROOT / "tests/unit") for path in sources("tests/unit")} - {Path()}
    assert sorted(str(folder) for folder in folders if not (ROOT / "ert" / folder).is_dir()) == []


@pytest.mark.parametrize(
    ("module", "contracts"),
    [
        ("ert.transport", ["Qt, VTK", "SQL only", "ui sees", "kernels know"]),
        ("ert.dicom.network", ["app reaches"]),
        ("ert.devices.order_client", ["app reaches"]),
    ],
)
def test_a_module_that_is_new_gets_its_place_in_the_import_contracts(module: str, contracts: list[str]):
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert len(configuration["contracts"]) == 8
    path = ROOT / module.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file():
        found = {c["name"] for c in configuration["contracts"] if module in str(c)}
        assert [start for start in contracts if not any(name.startswith(start) for name in found)] == []


def locked() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [Requirement(line.rstrip("\\ ")) for line in lines if line and line[0] not in "# "]


def test_the_lock_names_no_place_to_download_from():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"://|^\s*-(?!-hash=)\S*|^[^#\n]*@.*$|--(?!hash=)\S+", text, re.MULTILINE) == []


def test_every_locked_package_is_exact_and_has_hashes():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", text.partition("\n\n")[2] or text)
    packages = [entry for entry in entries if re.match(r"[a-z0-9-]+==", entry)]
    assert len(packages) == len(locked())
    assert [entry.split()[0] for entry in packages if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []
    assert [str(r) for r in locked() if [s.operator for s in r.specifier] != ["=="]] == []


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_satisfies_every_dependency(python: str):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    environment = {"python_version": python, "python_full_version": f"{python}.2"}

    def holds(requirement: Requirement) -> bool:
        return requirement.marker is None or requirement.marker.evaluate(environment)

    def key(requirement: Requirement) -> str:
        return re.sub(r"[-_.]+", "-", requirement.name).lower()

    pins = {key(r): next(iter(r.specifier)).version for r in locked() if holds(r)}
    needed = [r for r in map(Requirement, wanted) if holds(r)]
    assert [str(r) for r in needed if pins.get(key(r)) is None or not r.specifier.contains(pins[key(r)])] == []


def test_the_licence_list_names_what_the_lock_installs():
    environment = {"python_version": "3.11", "python_full_version": "3.11.2", "sys_platform": "linux"}
    installed = [r for r in locked() if r.marker is None or r.marker.evaluate(environment)]
    lines = (ROOT / "THIRD_PARTY_LICENSES").read_text(encoding="utf-8").splitlines()
    listed = {tuple(line.split()[:2]) for line in lines if line.startswith("  ")}
    assert listed == {(r.name, next(iter(r.specifier)).version) for r in installed}


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < README_CEILING
    links = [target for target in re.findall(r"\]\(([^)#]+)", text) if "://" not in target]
    assert links
    assert [target for target in links if not (ROOT / target).exists()] == []


def test_every_guard_in_the_safety_file_has_its_test():
    rows = [line for line in (ROOT / "SAFETY.md").read_text(encoding="utf-8").splitlines() if re.match(r"\| \d", line)]
    assert [row.split("|")[1].strip() for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    paths = {row: re.findall(r"`(tests/[^`]+)`", row.split("|")[5]) for row in rows}
    assert [row for row, found in paths.items() if not found] == []

    def holds_tests(path: Path) -> bool:
        return path.is_file() or any(path.rglob("test_*.py"))

    assert sorted({p for found in paths.values() for p in found if not holds_tests(ROOT / p)}) == []
