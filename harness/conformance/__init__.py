"""`./inv conformance`: the official suite, on the fixture registry and on the production one, at both revisions."""
