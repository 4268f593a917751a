"""`./inv sentry.alerts`: what Sentry's alert rules lack, and with --apply, made so."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from harness.config import ConfigurationError, load
from harness.verdict import FAILED, PASSED
from security.sentry.api import RefusedError, Rules
from security.sentry.model import SentryTable
from security.sentry.plan import Action, Change, Plan, make_plan
from security.sentry.rules import RULES, AlertRule

Say = Callable[[str], None]


def run_alerts(
    *,
    configuration: Path,
    environ: Mapping[str, str],
    say: Say,
    apply: bool = False,
    wanted: Sequence[AlertRule] = RULES,
) -> int:
    """Return 0 where Sentry's rules are ours (with `apply`, once they are), 1 where they are not.

    Nothing is changed without `apply`. Raises UsageError for an unusable ops.toml or token, HarnessError where Sentry
    cannot be asked.
    """
    table = load(configuration, {"sentry": SentryTable}).table("sentry", SentryTable)
    with closing(_open(table, environ)) as rules:
        plan = make_plan(wanted, rules.list())
        _show(plan, table, say)
        if not plan.changes:
            return FAILED if plan.muted else PASSED
        if not apply:
            say(f"{len(plan.changes)} to change; nothing was. Make it so with: ./inv sentry.alerts --apply")
            return FAILED
        refused = [change for change in plan.changes if not _do(rules, change, say)]
        # What was done is not taken on trust.
        left = make_plan(wanted, rules.list())
    if left.changes:
        say(f"{len(left.changes)} still to change: {', '.join(change.name for change in left.changes)}")
    return FAILED if refused or left.changes or left.muted else PASSED


def _open(table: SentryTable, environ: Mapping[str, str]) -> Rules:
    for name in ("organization", "project"):
        if not getattr(table, name):
            raise ConfigurationError(f"ops.toml: sentry.{name}: is missing; it is the name in Sentry's addresses")
    token = environ.get(table.token_env, "").strip()
    if not token:
        raise ConfigurationError(
            f"the environment variable {table.token_env} is not set; it must hold a token with alerts:write"
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(f"what the environment variable {table.token_env} holds is no token")
    return Rules(str(table.url), table.organization, table.project, token)


def _show(plan: Plan, table: SentryTable, say: Say) -> None:
    say(f"Alert rules of {table.organization}/{table.project} at {table.url}")
    for name in plan.right:
        say(f"  as it should be  {name}")
    for change in plan.changes:
        say(f"  {change.action:<15}  {change.name}: {change.why}")
    for name in plan.muted:
        say(f"  muted            {name}: by hand, in Sentry; let it speak there")
    say(f"  left alone       {plan.others} of other names")


def _do(rules: Rules, change: Change, say: Say) -> bool:
    """Make one change; returns whether it was taken."""
    try:
        if change.action is Action.DELETE:
            rules.delete(change.id)
        elif change.action is Action.UPDATE:
            rules.update(change.id, change.body or {})
        else:
            rules.create(change.body or {})
    except RefusedError as error:
        say(f"not done: {change.action} {change.name}: {error}")
        return False
    say(f"done: {change.action} {change.name}")
    return True
