"""Probes of injection: text that a client sends stays text, wherever it ends up."""
