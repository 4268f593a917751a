"""The processor time of another process."""

import time


def processor_seconds(pid: int) -> float:
    """The processor time of a process and all its threads, to the nanosecond, where psutil knows hundredths.

    Linux and the BSDs have a clock for each process (clock_getcpuclockid); on Linux its number is this one. Raises
    OSError where the process is gone.
    """
    return time.clock_gettime((~pid << 3) | 2)
