"""``python -m ert``."""

from ert.main import main

main()
