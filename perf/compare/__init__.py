"""`./inv load.compare`: two revisions under the same load by turns, and whether one of them costs more."""
