"""`astra bench closed-loop`: whole tasks in the simulator, with several ways of choosing among the same candidates."""
