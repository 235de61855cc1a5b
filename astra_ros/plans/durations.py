"""The durations that simulated worlds, their data sets and their evaluation share."""

PLAN_S = 4.0  # of a simulated candidate plan, and of a behaviour in a recording
STEP_S = 0.25  # between two frames of a recording; a row of a velocity plan is held as long
