"""Package list, and resources/ shipped inside a wheel as ert/resources (all other metadata: pyproject.toml)."""

from setuptools import find_namespace_packages, find_packages, setup

resources = ["ert.resources", *(f"ert.resources.{folder}" for folder in find_namespace_packages("resources"))]

setup(
    packages=[*find_packages(include=["ert", "ert.*"]), *resources],
    package_dir={"ert.resources": "resources"},
    package_data={"": ["*"]},  # every file beside the code: data is named by its folder, not by its ending
)
