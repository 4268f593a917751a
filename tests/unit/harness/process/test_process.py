import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.process import NICENESS, Command, ProcessError, child_environment, run, running

REPOSITORY = Path(__file__).resolve().parents[4]


def shell(script: str, name: str = "child") -> Command:
    return Command(name, ("/bin/sh", "-c", script), child_environment({}, os.environ), Path("/"))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for by its new parent does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def test_the_event_is_found_among_other_lines_on_either_output(tmp_path: Path) -> None:
    script = """echo 'not json'; echo '{"event":"other"}'; echo '[1]'; echo '{"event":"up","port":7}' >&2; sleep 60"""
    with running(shell(script), logs=tmp_path) as child:
        assert child.wait_for_event("up", seconds=10) == {"event": "up", "port": 7}
        assert child.exit_code is None
    assert child.exit_code == -signal.SIGTERM
    assert (tmp_path / "child.stdout.log").read_text().startswith("not json\n")


def test_an_event_counts_only_once_its_line_is_whole(tmp_path: Path) -> None:
    script = """printf '{"event":"up",'; sleep 0.2; echo '"port":7}'; sleep 60"""
    with running(shell(script), logs=tmp_path) as child:
        assert child.wait_for_event("up", seconds=10)["port"] == 7


def test_an_early_death_fails_at_once_with_its_last_words(tmp_path: Path) -> None:
    began = time.monotonic()
    with (
        pytest.raises(ProcessError) as caught,
        running(shell("echo starting; echo 'port 8080 is in use' >&2; exit 4"), logs=tmp_path) as child,
    ):
        child.wait_for_event("up", seconds=30)
    assert time.monotonic() - began < 5
    assert str(caught.value) == "child ended before it was ready (exit code 4): port 8080 is in use"
    assert caught.value.exit_code == 4


def test_the_last_line_of_a_child_that_ends_well_is_still_an_event(tmp_path: Path) -> None:
    with running(shell("""echo '{"event":"up"}'"""), logs=tmp_path) as child:
        child.wait(seconds=10)
        assert child.wait_for_event("up", seconds=10) == {"event": "up"}


def test_a_child_that_is_never_ready_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    with (
        pytest.raises(ProcessError, match=r"^child was not ready within 0\.1 s, without a word$"),
        running(shell("sleep 60"), logs=tmp_path) as child,
    ):
        child.wait_for_event("up", seconds=0.1)
    assert not is_alive(child.pid)


def test_a_child_that_ignores_sigterm_is_killed_with_its_whole_group(tmp_path: Path) -> None:
    script = """trap '' TERM; sleep 60 & echo "{\\"event\\":\\"up\\",\\"grandchild\\":$!}"; wait; sleep 60"""
    with running(shell(script), logs=tmp_path, stop_seconds=0.1) as child:
        grandchild = child.wait_for_event("up", seconds=10)["grandchild"]
    assert child.exit_code == -signal.SIGKILL
    wait_until(lambda: not is_alive(grandchild))


def test_what_a_child_started_in_another_session_ends_with_it(tmp_path: Path) -> None:
    """As a daemon does: its parent has ended already, and it is of no group that could be known."""
    daemon = f"""{sys.executable} -c '
import os, time
if os.fork():
    os._exit(0)
os.setsid()
print(os.getpid(), flush=True)
os.close(1)
time.sleep(60)'"""
    script = f"""pid=$({daemon}); echo "{{\\"event\\":\\"up\\",\\"pid\\":$pid}}"; sleep 60"""
    with running(shell(script), logs=tmp_path) as child:
        pid = child.wait_for_event("up", seconds=10)["pid"]
        assert is_alive(pid)
        assert os.getsid(pid) != child.pid
    wait_until(lambda: not is_alive(pid))


def test_a_clean_end_on_sigterm_is_reported_as_it_was(tmp_path: Path) -> None:
    script = """trap 'exit 7' TERM; echo '{"event":"up"}'; while :; do sleep 0.02; done"""
    with running(shell(script), logs=tmp_path) as child:
        child.wait_for_event("up", seconds=10)
        assert child.stop() == 7
        assert child.stop() == 7


def test_a_child_that_gives_way_does_so_with_all_that_it_starts(tmp_path: Path) -> None:
    script = """read go; sleep 60 & echo '{"event":"up","pid":'$!'}'; wait"""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with running(shell(f"exec < {pipe}; {script}"), logs=tmp_path) as child:
        child.give_way()
        pipe.write_text("go\n")
        started = child.wait_for_event("up", seconds=10)["pid"]
        assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in (child.pid, started)} == {NICENESS}
        # Where cores are shared between sessions first: of another session than ours.
        group = Path(f"/proc/{started}/autogroup")
        if os.geteuid() == 0 and group.exists():  # anybody else may say so ten times a second in all
            assert group.read_text().endswith(f"nice {NICENESS}\n")
            assert group.read_text() != Path("/proc/self/autogroup").read_text()


def test_a_child_that_begins_to_stop_is_waited_for_later(tmp_path: Path) -> None:
    script = """trap 'sleep 0.3; exit 3' TERM; echo '{"event":"up"}'; while :; do sleep 0.01; done"""
    with running(shell(script), logs=tmp_path) as child:
        child.wait_for_event("up", seconds=10)
        child.begin_to_stop()
        assert child.exit_code is None
        assert child.wait(seconds=10) == 3
        child.begin_to_stop()
    assert child.exit_code == 3


def test_an_error_in_the_body_stops_the_child_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), running(shell("sleep 60"), logs=tmp_path) as child:
        raise ZeroDivisionError
    assert not is_alive(child.pid)


def test_a_program_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    command = Command("ghost", ("/no/such/program",), {}, Path("/"))
    with (
        pytest.raises(ProcessError, match=r"^ghost could not be started: No such file or directory: /no/such/program$"),
        running(command, logs=tmp_path),
    ):
        pass


def test_a_command_gives_its_output_and_a_failing_one_its_last_line(tmp_path: Path) -> None:
    assert run(shell("echo key; echo noise >&2"), logs=tmp_path, seconds=10) == "key\n"
    assert (tmp_path / "child.stderr.log").read_text() == "noise\n"
    assert not (tmp_path / "child.stdout.log").exists()
    with pytest.raises(ProcessError, match=r"^child failed \(exit code 2\): MASTER_KEY is missing$"):
        run(shell("echo MASTER_KEY is missing >&2; exit 2"), logs=tmp_path, seconds=10)
    with pytest.raises(ProcessError, match=r"^child did not finish within 0\.1 s"):
        run(shell("sleep 60"), logs=tmp_path, seconds=0.1)


def test_logs_are_for_the_owner_alone(tmp_path: Path) -> None:
    with running(shell("sleep 60"), logs=tmp_path / "new" / "folder") as child:
        assert child.stdout.stat().st_mode & 0o777 == 0o600
        assert child.stderr.stat().st_mode & 0o777 == 0o600


def test_a_child_inherits_the_machine_but_not_the_operators_settings() -> None:
    environ = {"PATH": "/bin", "DATABASE_URL": "sqlite:///precious.db", "COVERAGE_PROCESS_START": "x"}
    assert child_environment({"PORT": "0"}, environ) == {
        "PATH": "/bin",
        "COVERAGE_PROCESS_START": "x",
        "PYTHONUNBUFFERED": "1",
        "PORT": "0",
    }


STARTER = """
import os, pathlib, signal, sys, threading, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored under nohup, and inherited
from harness.process import Command, running
script = "trap '' TERM; sleep 60 & echo $$ $! > pids.part; mv pids.part pids; wait; sleep 60"
logs = pathlib.Path(sys.argv[1])
def start():
    with running(Command("child", ("/bin/sh", "-c", script), dict(os.environ), logs), logs=logs):
        time.sleep(60)
thread = threading.Thread(target=start)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_outlives_a_starter_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)], env=environment) as starter:
        wait_until((tmp_path / "pids").exists)
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert all(is_alive(pid) for pid in pids)
        starter.send_signal(number)
        assert starter.wait(10) == -number
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


HASTY = """
import os, pathlib, signal, subprocess, sys
from harness import process
class Last(subprocess.Popen):
    def __init__(self, arguments, **options):
        super().__init__(arguments, **options)
        if "sleep 60" in arguments:
            os.kill(os.getpid(), signal.SIGKILL)
subprocess.Popen = Last
logs = pathlib.Path(sys.argv[1])
command = process.Command("child", ("/bin/sh", "-c", "exec sleep 60", "sleep 60"), dict(os.environ), logs)
with process.running(command, logs=logs):
    pass
"""


def test_a_starter_that_is_killed_right_after_the_start_leaves_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    starter = subprocess.run([sys.executable, "-c", HASTY, str(tmp_path)], env=environment, check=False)
    assert starter.returncode == -signal.SIGKILL
    wait_until(lambda: not processes_in(tmp_path))


def processes_in(folder: Path) -> list[Path]:
    """The processes that work in this folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if place.readlink() == folder:
                found.append(place)
    return found
