"""How fast, how lean, and how that compares: `./inv load`, `./inv peers`."""
