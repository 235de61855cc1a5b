"""Programs that start the nodes and listen to them: demo and benchmark."""
