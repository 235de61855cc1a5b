"""Data sets: episodes, how they are stored, how they are recorded from the simulator or a bag."""
