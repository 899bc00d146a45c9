"""Package list, and resources/ shipped inside a wheel as ert/resources (all other metadata: pyproject.toml)."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["ert", "ert.*"]), "ert.resources"],
    package_dir={"ert.resources": "resources"},
    package_data={"ert.resources": ["**/*"], "ert.storage": ["**/*.mako"]},
)
