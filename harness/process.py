"""Child processes whose output is kept, whose readiness is awaited, and which never outlive their starter."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from harness.errors import HarnessError

POLL_SECONDS = 0.02
NICENESS = 10
"""Of a child that gives way: it gets a tenth of what others get, and all that they leave."""
SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})
# What a child needs of the machine. Everything else of the operator's shell stays out: a DATABASE_URL meant for
# another server must not reach a throw-away one. COVERAGE_* lets a measured test run follow its children.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
INHERITED_PREFIXES = ("COVERAGE_",)

# In the environment of a child, and of whatever it starts, unless that takes it out: its value is the child's own. What
# has left the child's group for a session of its own is known by it.
MARK = "HARNESS_CHILD"
ROUNDS = 10
"""How often what a child left behind is looked for: what starts others while it is ended takes more than one."""

# Is there before the child, which writes its group into this pipe before anything else: there is no moment at which
# the starter's end would leave it behind. The pipe closes when the starter ends, however it ends; then the group is
# killed. PR_SET_PDEATHSIG would spare this shell, but fires when the starting *thread* ends, and misses grandchildren.
GUARD = 'read -r group && { read -r released; kill -s KILL -- "-$group" 2>/dev/null; }'


class ProcessError(HarnessError):
    """A child process did not start, become ready, or finish well. `exit_code` is None while it still ran."""

    def __init__(self, message: str, *, exit_code: int | None = None, last_lines: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.last_lines = tuple(last_lines)


@dataclass(frozen=True)
class Command:
    """What to run: arguments, the child's whole environment, and its working directory."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: Path


@dataclass
class ChildProcess:
    """A running child. Its exit code is negative when a signal ended it, as in `subprocess`."""

    name: str
    stdout: Path
    stderr: Path
    stop_seconds: float
    _popen: "subprocess.Popen[bytes]" = field(repr=False)
    _mark: str = field(repr=False)
    _stopped: bool = field(default=False, repr=False)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, None while it runs."""
        return self._popen.poll()

    def wait_for_event(self, event: str, *, seconds: float) -> dict[str, Any]:
        """Return the first JSON line, on either output, whose "event" is the one named.

        Raises ProcessError at once when the child ends first (with its last line), or after `seconds`.
        """
        deadline = time.monotonic() + seconds
        with self.stdout.open("rb") as stdout, self.stderr.open("rb") as stderr:
            pending: dict[IO[bytes], bytes] = {stdout: b"", stderr: b""}
            while True:
                # Looked at before reading: what a child wrote just before its end is still seen.
                ended = self._popen.poll() is not None
                for stream in (stdout, stderr):
                    for found in _events(stream, pending):
                        if found.get("event") == event:
                            return found
                if ended:
                    raise self.failure("ended before it was ready")
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise self.failure(f"was not ready within {seconds:g} s")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._popen.wait(min(POLL_SECONDS, remaining))

    def wait(self, *, seconds: float) -> int:
        """Return the exit code. Raises ProcessError when it still runs after `seconds`."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self.failure(f"did not finish within {seconds:g} s") from None

    def give_way(self) -> None:
        """Let everybody else's processes have the cores first, where the system knows such a thing."""
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PGRP, self.pid, NICENESS)
        # Linux may share the cores between sessions first, of which a child is one: niceness then counts only inside.
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.pid}/autogroup").write_text(str(NICENESS), encoding="ascii")

    def begin_to_stop(self) -> None:
        """Send SIGTERM, for `stop` to find it on its way out."""
        if not self._stopped and self._popen.poll() is None:
            self._popen.terminate()

    def stop(self) -> int:
        """Return the exit code after SIGTERM, a bounded wait, and SIGKILL of whatever is left of its group.

        And of what it started in other sessions, where /proc shows environments.
        """
        if self._stopped:  # its group id may be another's by now
            return self._popen.wait()
        self._stopped = True
        try:
            if self._popen.poll() is None:
                self._popen.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._popen.wait(self.stop_seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            _kill_marked(self._mark)
        return self._popen.wait()

    def last_lines(self, count: int = 20) -> list[str]:
        """The last lines of its error output, or of its output when there are none."""
        return _last_lines(self.stderr, count) or _last_lines(self.stdout, count)

    def failure(self, what: str) -> ProcessError:
        """An error in one line: the child's name, what happened, and the last thing it said."""
        exit_code, lines = self.exit_code, self.last_lines()
        code = "" if exit_code is None else f" (exit code {exit_code})"
        said = f": {lines[-1].strip()[:300]}" if lines else ", without a word"
        return ProcessError(f"{self.name} {what}{code}{said}", exit_code=exit_code, last_lines=lines)


@contextlib.contextmanager
def running(command: Command, *, logs: Path, stop_seconds: float = 10.0) -> Iterator[ChildProcess]:
    """Start a child in a session of its own and yield it; it is stopped on the way out, whatever the way.

    Its outputs go to `logs`/NAME.stdout.log and NAME.stderr.log, readable by the owner alone because a start-up line
    may carry a key. Raises ProcessError when the program cannot be run.
    """
    logs.mkdir(parents=True, exist_ok=True)
    stdout, stderr = (logs / f"{command.name}.{stream}.log" for stream in ("stdout", "stderr"))
    with contextlib.ExitStack() as stack:
        with _private(stdout) as out, _private(stderr) as err:
            child = stack.enter_context(_started(command, (out, stdout), (err, stderr), stop_seconds))
        yield child


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _let_signals_in() -> None:
    """In a child: what its starter held back would otherwise never reach it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def run(command: Command, *, logs: Path, seconds: float) -> str:
    """Return the standard output of a command that finished with exit code 0.

    The output stays in memory (it may be a key); errors go to `logs`/NAME.stderr.log. Raises ProcessError when the
    command cannot be run, fails, or takes longer than `seconds`.
    """
    logs.mkdir(parents=True, exist_ok=True)
    stderr = logs / f"{command.name}.stderr.log"
    with tempfile.TemporaryFile() as output, contextlib.ExitStack() as stack:
        with _private(stderr) as err:
            child = stack.enter_context(_started(command, (output, stderr), (err, stderr), 1.0))
        if child.wait(seconds=seconds) != 0:
            raise child.failure("failed")
        output.seek(0)
        return output.read().decode(errors="replace")


def child_environment(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: what the machine gives everyone, and the settings given here."""
    inherited = {
        name: value for name, value in environ.items() if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    }
    return {**inherited, "PYTHONUNBUFFERED": "1", **settings}


def _private(path: Path) -> IO[bytes]:
    return open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600))


@contextlib.contextmanager
def _started(
    command: Command, stdout: tuple[IO[bytes], Path], stderr: tuple[IO[bytes], Path], stop_seconds: float
) -> Iterator[ChildProcess]:
    """A child that writes to these, and is stopped on the way out, or by a guard if this process is killed."""
    with contextlib.ExitStack() as stack:
        # An interruption waits until somebody is there to stop the child.
        with _signals_held():
            guard = stack.enter_context(_guard())
            mark = secrets.token_hex(8)
            popen = _start(command, stdout[0], stderr[0], mark, guard)
            child = ChildProcess(command.name, stdout[1], stderr[1], stop_seconds, popen, mark)
            stack.callback(child.stop)
        yield child


def _start(command: Command, stdout: IO[bytes], stderr: IO[bytes], mark: str, guard: int) -> "subprocess.Popen[bytes]":
    """Start what carries this mark, and so does all that it starts; it tells the guard its group, which is its id."""

    def begin() -> None:
        _let_signals_in()
        os.write(guard, b"%d\n" % os.getpid())

    try:
        return subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**command.environment, MARK: mark},
            cwd=command.directory,
            start_new_session=True,
            preexec_fn=begin,  # noqa: PLW1509 - two system calls, no locks
        )
    except OSError as error:
        raise ProcessError(f"{command.name} could not be started: {error.strerror}: {error.filename}") from error


@contextlib.contextmanager
def _guard() -> Iterator[int]:
    """The pipe of a guard, which takes a group's id and kills that group when this process ends first."""
    guard = subprocess.Popen(
        ["/bin/sh", "-c", GUARD],
        stdin=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_let_signals_in,  # noqa: PLW1509 - one system call, no locks
    )
    pipe = cast("IO[bytes]", guard.stdin)
    try:
        yield pipe.fileno()
    finally:
        # Killed before its pipe closes, or it would act on a group id that may be another's by then.
        guard.kill()
        guard.wait()
        pipe.close()


def _kill_marked(mark: str) -> None:
    """Kill every process with this mark, and those that they start meanwhile."""
    entry = f"{MARK}={mark}".encode()
    for _ in range(ROUNDS):
        found = False
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):  # another's, or gone by now
                if entry in environment.read_bytes().split(b"\0"):
                    os.kill(int(environment.parent.name), signal.SIGKILL)
                    found = True
        if not found:
            return


def _events(stream: IO[bytes], pending: dict[IO[bytes], bytes]) -> Iterator[dict[str, Any]]:
    *lines, pending[stream] = (pending[stream] + stream.read()).split(b"\n")
    for line in lines:
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                yield found


def _last_lines(path: Path, count: int) -> list[str]:
    with path.open("rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(0, log.tell() - 64_000))
        lines = log.read().decode(errors="replace").splitlines()
    return [line for line in lines if line.strip()][-count:]
