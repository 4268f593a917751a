"""What options name: checks by their ids, or a whole group of probes by the first word of their ids."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from harness.errors import UsageError


def group_of(name: str) -> str:
    """The group of a check's id: its first word."""
    return name.partition(".")[0]


def choose(only: Sequence[str], ids: Sequence[str], beside: Mapping[str, str]) -> frozenset[str]:
    """Those of `ids` that are asked for, all where nothing is. Raises UsageError that says which names there are.

    `beside` are the ids of checks that nobody asks for, with the words for when they are made.
    """
    groups = {group_of(name) for name in ids}
    for name in only:
        if name in beside:
            raise UsageError(f"--only {name}: that check is made {beside[name]}, and not by itself: leave it out")
        if name not in groups and name not in ids:
            close = difflib.get_close_matches(name, [*ids, *groups], n=1)
            hint = f"did you mean {close[0]}?" if close else f"groups: {', '.join(sorted(groups))}"
            raise UsageError(f"--only {name}: no check or group has that name ({hint})")
    return frozenset(name for name in ids if not only or name in only or group_of(name) in only)


def require_known(names: Iterable[str], ids: Sequence[str]) -> None:
    """Raise UsageError for a name of --allow-inconclusive that no check can have: before an audit, not after it."""
    for name in names:
        if name not in ids:
            close = difflib.get_close_matches(name, ids, n=1)
            hint = f"did you mean {close[0]}?" if close else "docs/AUDIT.md lists them"
            raise UsageError(f"--allow-inconclusive {name}: no check has that id ({hint})")
