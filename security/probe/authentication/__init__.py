"""Probes of authentication: who is let in."""
