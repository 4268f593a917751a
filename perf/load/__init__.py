"""`./inv load`: a profile of ops.toml run by k6 against a target, and the verdict on what k6 saw."""
