"""`./inv profile.cache`: what each time to live saves upstream and costs in staleness, by the sandbox's journal."""
