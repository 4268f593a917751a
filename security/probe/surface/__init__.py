"""Probes of the surface: what the server tells of itself."""
