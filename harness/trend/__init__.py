"""The history of verdicts over many runs: an SQLite file beside the run folders."""
