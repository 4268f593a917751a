"""Who holds a lease, and whether that process may still be at work."""

import subprocess
import sys
from dataclasses import replace

from server.clock import now_milliseconds
from server.writes.leases import Leases, Process

LONG_AGO = 0


def test_a_running_process_has_not_ended_and_one_that_ended_has() -> None:
    this = Process.this()
    program = (
        "import sys; from server.writes.leases import Process; print(Process.this(), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen((sys.executable, "-c", program), stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        text = other.stdout.readline().strip()
        assert text.split()[1] == str(other.pid)
        assert not this.has_ended(text)
        other.communicate("")
    assert this.has_ended(text)
    assert not this.has_ended(str(this))


def test_an_id_that_was_given_to_another_process_since_names_one_that_ended() -> None:
    this = Process.this()
    ticks, boot = this.started.split("@")
    assert this.has_ended(str(replace(this, started=f"{int(ticks) + 1}@{boot}")))
    assert this.has_ended(str(replace(this, started=f"{ticks}@another-boot")))


def test_what_cannot_be_told_is_not_taken_for_ended() -> None:
    this = Process.this()
    assert not this.has_ended(str(replace(this, host="elsewhere", pid=1)))
    assert not this.has_ended(str(replace(this, started="")))
    assert not this.has_ended("")


def test_a_call_is_over_by_its_age_or_with_its_process() -> None:
    leases = Leases.of_this_process(45)
    this, now = str(leases.process), now_milliseconds()
    ended = str(replace(leases.process, started="0@another-boot"))
    elsewhere = str(replace(leases.process, host="elsewhere"))
    over = {name: leases.is_over(now, name) for name in (this, ended, elsewhere, None)}
    assert over == {this: False, ended: True, elsewhere: False, None: False}
    assert all(leases.is_over(LONG_AGO, name) for name in (this, ended, elsewhere, None))
    assert [leases.is_elsewhere(now, name) for name in (this, ended, elsewhere, None)] == [False, False, True, False]
    assert not leases.is_elsewhere(LONG_AGO, elsewhere)
