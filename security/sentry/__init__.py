"""Sentry from the operator's side: that errors arrive there, and that it alerts as this repository says."""
