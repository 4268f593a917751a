"""Probes: can a tenant reach what is another's."""
