"""Who holds a lease, and whether that process may still be at work."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from server.clock import now_milliseconds
from server.writes import leases as leases_module
from server.writes.leases import Leases, Process

LONG_AGO = 0
PROGRAM = "import sys; from server.writes.leases import Process; print(Process.this(), flush=True); sys.stdin.read()"


def test_a_running_process_has_not_ended_and_one_that_ended_has_before_anybody_waits_for_it() -> None:
    this = Process.this()
    with subprocess.Popen((sys.executable, "-c", PROGRAM), stdin=-1, stdout=-1, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        text = other.stdout.readline().strip()
        assert text.split()[2] == str(other.pid)
        assert not this.has_ended(text)
        other.stdin.close()
        assert other.stdout.read() == ""  # it ends
        stat = Path(f"/proc/{other.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "Z":
            pass
        assert this.has_ended(text)
    assert this.has_ended(text)
    assert not this.has_ended(str(this))


def test_an_id_that_was_given_to_another_process_since_names_one_that_ended() -> None:
    this = Process.this()
    assert this.has_ended(str(replace(this, started=str(int(this.started) + 1))))


def test_what_cannot_be_told_is_not_taken_for_ended() -> None:
    this = Process.this()
    other = replace(this, started=str(int(this.started) + 1))
    assert this.has_ended(str(other))
    for unknown in (
        replace(other, host="elsewhere"),
        replace(other, place="another-boot/1"),
        replace(other, place=""),
        replace(other, started=""),
        "",
    ):
        assert not this.has_ended(str(unknown)), unknown


def test_processes_that_are_hidden_are_not_taken_for_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    this = Process.this()
    monkeypatch.setattr(leases_module, "PROCESSES", tmp_path)
    assert not this.has_ended(str(this))
    (tmp_path / "1").mkdir()
    assert this.has_ended(str(this))
    (tmp_path / str(this.pid)).touch()  # whose stat cannot be read, for another reason than that it is not there
    assert not this.has_ended(str(this))


def test_a_call_is_over_by_its_age_alone_and_elsewhere_while_its_process_runs() -> None:
    leases = Leases.of_this_process(45)
    this, now = leases.process, now_milliseconds()
    ended, elsewhere = replace(this, started="0"), replace(this, host="elsewhere")
    assert not leases.is_over(now)
    assert leases.is_over(LONG_AGO)
    names = [*map(str, (this, ended, elsewhere)), None]
    assert [leases.is_elsewhere(now, name) for name in names] == [False, False, True, False]
    assert not leases.is_elsewhere(LONG_AGO, str(elsewhere))
