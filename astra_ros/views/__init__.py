"""Contact sheets, videos and tables of imagined plans."""
