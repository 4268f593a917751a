"""Probes of the protocol: what arrives malformed, ambiguous, too large, or from where it must not."""
