"""The bins of a Monte Carlo source's spectrum stay inside the cross sections."""

import numpy as np
import pytest

from ert.commissioning.monte_carlo_fit import spectrum_edges_mev
from ert.dose.monte_carlo_tables import monte_carlo_tables
from ert.errors import OutsideModel


def test_bins_reach_16_percent_above_the_most_probable_energy():
    edges = spectrum_edges_mev(20.0, monte_carlo_tables())
    assert edges[[0, -1]] == pytest.approx([4.0, 23.2])
    assert len(edges) == 33


def test_near_the_end_of_the_tables_bins_end_with_them():
    # the tables hold energies to 26 MeV in steps of 0.0125; 1.16 × 23 = 26.7
    tables = monte_carlo_tables()
    edges = spectrum_edges_mev(23.0, tables)
    assert edges[-1] == pytest.approx(25.9875)
    assert np.all(np.diff(edges) > 0)


def test_a_beam_beyond_the_tables_is_refused():
    with pytest.raises(OutsideModel, match="end at 25"):
        spectrum_edges_mev(25.0, monte_carlo_tables())
