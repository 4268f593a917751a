"""What a run was measured on: the machine, and the revision of this repository."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path

from harness.record import Environment, Revision
from harness.repository import REPOSITORY


def read_environment() -> Environment:
    """The machine as this process sees it. Its fingerprint is equal on machines whose figures may be compared."""
    facts: dict[str, str | int] = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_model": _cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }
    canonical = "\0".join(f"{name}={facts[name]}" for name in sorted(facts))
    return Environment.model_validate(facts | {"fingerprint": hashlib.sha256(canonical.encode()).hexdigest()[:16]})


def read_revision(repository: Path = REPOSITORY) -> Revision:
    """The commit that is checked out, and whether files differ from it; no commit where there is none to name."""
    commit = _git(repository, "rev-parse", "--verify", "--quiet", "HEAD")
    changes = _git(repository, "status", "--porcelain")
    return Revision(commit=commit or None, dirty=changes != "")


def _git(repository: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu_model() -> str:
    """The first processor's name from Linux's /proc/cpuinfo; empty where that file does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
