"""Run scanners side by side and judge all of them by one rule.

A scan passes when what was planted was found, something was examined, and its output had the form that it must have;
anything else is inconclusive.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness.collector import Run
from harness.errors import HarnessError, Inconclusive
from harness.process import ChildProcess, Command, child_environment, running
from harness.record import Check, Finding
from harness.verdict import CheckStatus, Severity
from security.findings import ORDER, Found, Lines, tell_once, to_record
from security.scan.scanner import Judgement, NothingOfItsKindError, Output, Scanner, Scene, Task

SECONDS = 90.0
"""How long a scan may take; the slowest needs a third of it on a busy machine."""
POLL_SECONDS = 0.05
DOUBT = "doubt"
"""The last word of the id under which a doubt stands beside findings."""
BELOW = "below"
"""The last word of the id under which findings are listed that are too mild to count."""


@dataclass(frozen=True)
class Outcome:
    """What became of one scan: its judgement, or what kept it from one and the evidence that there is all the same."""

    scanner: Scanner
    seconds: float
    judgement: Judgement | None = None
    error: Exception | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Prepared:
    """A scan that can be started."""

    scanner: Scanner
    task: Task
    program: Path
    scratch: Path


@dataclass(frozen=True)
class _Scan:
    """A scan whose process was started."""

    scanner: Scanner
    task: Task
    child: ChildProcess
    began: float


def scan(scanners: Sequence[Scanner], scene: Scene, *, seconds: float = SECONDS) -> list[Outcome]:
    """Start every scanner, and return what became of each, in their order. One's trouble is its own outcome."""
    outcomes: dict[str, Outcome] = {}
    with ExitStack() as stack:
        ready: list[_Prepared] = []
        for scanner in scanners:
            began = time.monotonic()
            try:
                ready.append(_prepare(scanner, scene, stack))
            except Exception as error:  # noqa: BLE001 -- whatever it is, this scanner has not run
                outcomes[scanner.name] = Outcome(scanner, time.monotonic() - began, error=error)
        # Started together, when every environment is made: the making of one is no scan's time.
        under_way = []
        for prepared in ready:
            try:
                under_way.append(_start(prepared, scene, stack))
            except HarnessError as error:
                outcomes[prepared.scanner.name] = Outcome(prepared.scanner, 0.0, error=error)
        while under_way:
            for each in tuple(under_way):
                took = time.monotonic() - each.began
                if each.child.exit_code is not None or took > seconds:
                    under_way.remove(each)
                    outcomes[each.scanner.name] = _judge(each, took, seconds)
            time.sleep(POLL_SECONDS if under_way else 0)
    return [outcomes[scanner.name] for scanner in scanners]


def report(run: Run, outcomes: Sequence[Outcome], fail_on: Severity, lines: Lines) -> None:
    """Make a check of each outcome; findings milder than `fail_on` are listed in one beside it that does not count."""
    told = tell_once({each.scanner.name: each.judgement.findings for each in outcomes if each.judgement}, lines)
    for outcome in outcomes:
        found = told.get(outcome.scanner.name, {})
        counted = {name: each for name, each in found.items() if ORDER.index(each.severity) >= ORDER.index(fail_on)}
        severity = max((each.severity for each in counted.values()), key=ORDER.index, default=Severity.HIGH)
        with run.check(
            outcome.scanner.name,
            outcome.scanner.title,
            severity=severity,
            tool=outcome.scanner.program,
            categories=outcome.scanner.categories,
        ) as check:
            check.took = outcome.seconds
            if isinstance(outcome.error, NothingOfItsKindError):
                check.not_applicable(str(outcome.error))
                continue
            if outcome.error is not None:
                check.evidence.extend(outcome.evidence)
                raise outcome.error
            assert outcome.judgement is not None
            check.examined = outcome.judgement.examined
            check.evidence.extend((*outcome.judgement.evidence, "what was planted was found"))
            check.findings.extend(_in_order(counted))
            if outcome.judgement.doubt and not counted:
                raise Inconclusive(outcome.judgement.doubt)
        if counted and outcome.judgement and outcome.judgement.doubt:
            _doubt(run, outcome.scanner, outcome.judgement.doubt)
        if mild := {name: each for name, each in found.items() if name not in counted}:
            run.add_check(_below(outcome.scanner, mild, fail_on))


def _prepare(scanner: Scanner, scene: Scene, stack: ExitStack) -> _Prepared:
    own = replace(scene, scratch=scene.scratch / scanner.name)
    own.scratch.mkdir(parents=True)
    # Before its environment is asked for: where there is nothing of its kind, none is made.
    task = scanner.prepare(own, stack)
    program = scene.program(scanner.environment, task.executable or scanner.program)
    return _Prepared(scanner, task, program, own.scratch)


def _start(prepared: _Prepared, scene: Scene, stack: ExitStack) -> _Scan:
    task = prepared.task
    # What it leaves behind is gone with the rest.
    temporary = prepared.scratch / "temporary"
    temporary.mkdir()
    command = Command(
        prepared.scanner.name,
        (str(prepared.program), *task.arguments),
        child_environment({"TMPDIR": str(temporary), **task.settings}, scene.environ),
        task.directory,
    )
    # Not among the logs of the run: outputs repeat source lines, and with them what is secret.
    child = stack.enter_context(running(command, logs=prepared.scratch / "output"))
    # A server that is probed meanwhile answers others, who wait; nobody waits for a single scanner.
    child.give_way()
    return _Scan(prepared.scanner, task, child, time.monotonic())


def _judge(each: _Scan, took: float, seconds: float) -> Outcome:
    try:
        judgement = _judgement(each, seconds)
    except Exception as error:  # noqa: BLE001 -- whatever it is, this output is no evidence
        return Outcome(each.scanner, took, error=error)
    if why := _why_not(each.scanner, judgement):
        return Outcome(each.scanner, took, error=Inconclusive(why), evidence=judgement.evidence)
    return Outcome(each.scanner, took, judgement=judgement)


def _judgement(each: _Scan, seconds: float) -> Judgement:
    exit_code = each.child.exit_code
    if exit_code is None:
        raise Inconclusive(f"{each.scanner.program} did not finish within {seconds:g} s")
    stdout, stderr = (path.read_text("utf-8", errors="replace") for path in (each.child.stdout, each.child.stderr))
    judgement = each.task.judge(Output(exit_code, stdout, stderr))
    return replace(judgement, evidence=(*judgement.evidence, *each.task.left_out))


def _why_not(scanner: Scanner, judgement: Judgement) -> str:
    """Why the judgement is none; empty where it is one."""
    if not judgement.canary_seen:
        missed = f"{scanner.program} did not find what was planted: it would miss the same elsewhere"
        return judgement.doubt or missed
    return "" if judgement.examined > 0 else judgement.doubt or f"{scanner.program} examined nothing"


def _doubt(run: Run, scanner: Scanner, doubt: str) -> None:
    """A check of its own for the doubt, so that it stands when a waiver accepts what was found.

    Where the scanner may be inconclusive, this may be.
    """
    name = f"{scanner.name}.{DOUBT}"
    if scanner.name in run.allowed:
        run.allowed.append(name)
    title = f"What {scanner.program} was asked to examine, it has examined"
    with run.check(name, title, tool=scanner.program, categories=scanner.categories):
        raise Inconclusive(doubt)


def _below(scanner: Scanner, mild: Mapping[str, Found], fail_on: Severity) -> Check:
    return Check(
        id=f"{scanner.name}.{BELOW}",
        title=f"What {scanner.program} finds below {fail_on} is told, and does not count",
        status=CheckStatus.NOT_APPLICABLE,
        severity=Severity.INFO,
        reason=f"{len(mild)} found below {fail_on}, where findings begin to count",
        examined=len(mild),
        findings=tuple(_in_order(mild)),
        tool=scanner.program,
    )


def _in_order(found: Mapping[str, Found]) -> list[Finding]:
    worst_first = sorted(found.items(), key=lambda item: (-ORDER.index(item[1].severity), item[1].path, item[1].line))
    return [to_record(name, each) for name, each in worst_first]
