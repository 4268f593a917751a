"""From measured rounds to a verdict: every row's rate, what ours is beside the peer's and the bare dispatcher's."""

import statistics
from collections.abc import Mapping, Sequence

from harness.collector import OpenCheck, Run
from harness.errors import Inconclusive
from harness.record import Direction
from harness.verdict import CheckStatus
from perf.peers.arms import BARE, OURS, PEER, Row
from perf.peers.bars import Bars
from perf.peers.blocks import Counted, Round
from perf.peers.counts import tokens_spent
from perf.peers.plan import Outcome

WORDS = {"server": "this server, everything on", "bare": "our dispatcher, bare", "fastmcp": "FastMCP", "sdk": "SDK"}


def compare_counts(
    check: OpenCheck,
    blocks: Sequence[Counted],
    audited: Mapping[str, int],
    known_within: float = Bars.tokens_known_within,
) -> None:
    """Fail the check where a block's calls differ from what metrics, limiter or audit log (rows by tenant) say.

    Raises Inconclusive when the tokens spent are not known to within this share of them.
    """
    for block in blocks:
        made = block.outcome.calls
        counted = round(block.after.calls - block.before.calls)
        check.expect(counted == made, f"mcp_tool_calls_total grew by {counted} for {made} calls")
        limited = block.outcome.limited
        least, most = tokens_spent(block.before, block.after)
        if most - least > known_within * limited:
            raise Inconclusive(f"the limiter spent {least:.1f} to {most:.1f} tokens: not known exactly enough")
        check.expect(least <= limited <= most, f"the limiter spent {least:.1f} to {most:.1f} tokens for {limited}")
        rows = audited.get(block.tenant_id, 0)
        check.expect(rows == block.audited, f"the audit log has {rows} rows for {block.audited} calls")
        check.evidence.append(
            f"{made} calls: counter {counted}, tokens {least:.2f} to {most:.2f} for {limited} limited requests; "
            f"in all {block.audited} calls: {rows} audit rows"
        )


def judge_rounds(run: Run, rounds: Sequence[Round], bars: Bars) -> bool:
    """Add each row's rate, and ours as a multiple of the peer's and as a share of the bare dispatcher's.

    Returns whether they were judged: where something else than the servers was the limit, they are told alone.
    """
    with run.check("table", "nothing but the servers was the limit of what they answered") as check:
        check.evidence.extend(table(rounds).splitlines())
        check.examined = sum(len(each.outcomes) for each in rounds)
        _refuse_other_limits(rounds, bars)
    undisturbed = run.checks[-1].status is CheckStatus.PASSED
    with run.check("same_bytes", "the bare dispatcher answers with the same bytes") as check:
        for each in rounds:
            same = each.outcomes[OURS].answers == each.outcomes[BARE].answers
            check.expect(same, "its answers differ from those of orders_get with everything on")
    for row in rounds[0].outcomes:
        _measure_row(run, row, rounds)
    for name, other, limit in (("peers.ratio", PEER, bars.ratio), ("peers.bare_share", BARE, bars.bare_share)):
        ratios = [each.ratio(OURS, other) for each in rounds]
        for statistic, value in (("lowest", min(ratios)), ("highest", max(ratios))):
            run.measure(name, value, "times", statistic=statistic, samples=len(ratios))
        run.measure(
            name,
            statistics.median(ratios),
            "times",
            statistic="median",
            samples=len(ratios),
            limit=limit if undisturbed else None,
            direction=Direction.HIGHER,
        )
    return undisturbed


def _refuse_other_limits(rounds: Sequence[Round], bars: Bars) -> None:
    """Raise Inconclusive where a generator was too busy, or what is judged did not have its processor to itself."""
    most = max(outcome.generator_share for each in rounds for outcome in each.outcomes.values())
    if most >= bars.generator_share:
        raise Inconclusive(f"the generator used {most:.0%} of a processor: it may have been the limit")
    for row in (PEER, OURS, BARE):
        share = statistics.median(each.outcomes[row].server_share for each in rounds)
        if share < bars.server_share:
            raise Inconclusive(f"{row.server} had {share:.0%} of its processor: others use it; quieten the machine")


def table(rounds: Sequence[Round]) -> str:
    """The comparison as lines of text, a row for each server and call, the quickest first."""
    header = f"{'server':<28}{'call':<12}{'calls/s':>9}{'x FastMCP add':>15}{'of bare':>9}{'processor a call':>18}"
    rows = sorted(rounds[0].outcomes, key=lambda row: -median_rate(rounds, row))
    return "\n".join([header, *(_line(row, rounds) for row in rows)])


def median_rate(rounds: Sequence[Round], row: Row) -> float:
    """A row's calls per second, the median of the rounds."""
    return statistics.median(each.outcomes[row].calls_per_second for each in rounds)


def _line(row: Row, rounds: Sequence[Round]) -> str:
    ratio = statistics.median(each.ratio(row, PEER) for each in rounds)
    share = statistics.median(each.ratio(row, BARE) for each in rounds)
    spent = _microseconds(rounds, row)
    name = WORDS.get(row.server, row.server)
    return f"{name:<28}{row.call:<12}{median_rate(rounds, row):>9,.0f}{ratio:>15.2f}{share:>9.1%}{spent:>15,.0f} us"


def _measure_row(run: Run, row: Row, rounds: Sequence[Round]) -> None:
    outcomes = [each.outcomes[row] for each in rounds]
    labels = row._asdict()
    figures = {
        ("calls_per_second", "1/s", "median"): median_rate(rounds, row),
        ("peers.times_peer", "times", "median"): statistics.median(each.ratio(row, PEER) for each in rounds),
        ("peers.share_of_bare", "times", "median"): statistics.median(each.ratio(row, BARE) for each in rounds),
        # What neighbours on the machine change least.
        ("processor_time_per_call", "us", "mean"): _microseconds(rounds, row),
        ("processor_share", "processors", "mean"): statistics.mean(each.server_share for each in outcomes),
        ("generator_share", "processors", "highest"): max(each.generator_share for each in outcomes),
    }
    for (name, unit, statistic), value in figures.items():
        run.measure(name, value, unit, statistic=statistic, samples=len(outcomes), labels=labels)


def _microseconds(rounds: Sequence[Round], row: Row) -> float:
    """What a call costs the server, all its threads together."""
    outcomes: list[Outcome] = [each.outcomes[row] for each in rounds]
    return 1e6 * sum(each.server_seconds for each in outcomes) / sum(each.loop_calls for each in outcomes)
