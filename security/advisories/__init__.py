"""Where known vulnerabilities are looked up: the default service, OSV, or a directory of advisories served by us."""
