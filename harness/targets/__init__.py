"""Servers that jobs are pointed at: one started here for the occasion, or one that ops.toml names."""

from harness.targets.local import start_local
from harness.targets.model import LocalTarget, RunningTarget
from harness.targets.open import open_target
from harness.targets.sandbox import Sandbox, start_sandbox

__all__ = ["LocalTarget", "RunningTarget", "Sandbox", "open_target", "start_local", "start_sandbox"]
