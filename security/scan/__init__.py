"""The static part: scanners of the repository, a module each, and the one way in which all are run and judged."""
