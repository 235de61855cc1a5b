"""See it before you move: imagined video and scores for a robot's candidate plans."""

import os

__version__ = "0.1.0"

# torch reads this when it is first imported. Without it, its idle threads spin, and inference slows
# down several times over as soon as a simulator or a driver wants the same cores. A value that the
# user has set stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
