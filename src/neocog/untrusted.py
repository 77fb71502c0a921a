"""Files that somebody else may have made: read within bounds, and never run."""
