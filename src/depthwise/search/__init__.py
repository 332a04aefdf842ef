"""Designs and data -> ranked, trained designs.

``candidates`` says what races, ``holding_out`` by which images it is judged, ``halving`` who goes on; ``study`` is the
folder that holds all that is known, ``jobs`` trains one network up to one rung, ``pool`` does many jobs whatever dies
meanwhile, ``race`` brings them together, and ``standings`` says how it stands.
"""

from depthwise.search.estimator import ArchitectureSearch
from depthwise.search.screening import Screened, Screening, screen
from depthwise.search.study import Job, Study

__all__ = ["ArchitectureSearch", "Job", "Screened", "Screening", "Study", "screen"]
