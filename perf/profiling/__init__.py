"""`./inv profile`: where a loaded server spends its processor time, and what each tool costs when nothing is cached."""
