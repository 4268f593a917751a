"""Probes of configuration: what the server tells and offers to anybody."""
