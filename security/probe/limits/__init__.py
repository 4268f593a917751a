"""Probes of the rate limit: no way of sending gets more than the allowance, and no tenant gets less."""
