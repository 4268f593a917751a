"""Benchmarks of the server's hot paths: the suite run, two revisions compared by turns, each benchmark judged."""
