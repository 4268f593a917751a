"""`./inv profile.queries`: every statement of a scripted workload over a seeded database, its plan, and the verdict."""
