"""`./inv load.capacity`: the highest arrival rate that meets a profile's limits, and what gave out first."""
