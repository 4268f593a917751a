from harness.record import parse_record
from tests.integration.parts import Checkout


def test_the_command_leaves_and_prints_a_record_of_a_passed_story(checkout: Checkout) -> None:
    done = checkout.run("story", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    record = parse_record(done.stdout)
    assert record.kind == "story"
    assert record.target is not None
    assert record.target.name == "local"
    assert {check.status for check in record.checks} == {"passed"}
    logs = {artifact.path for artifact in record.artifacts}
    assert {"logs/server.stderr.log", "logs/sandbox.stderr.log"} <= logs
    assert parse_record((checkout.folder / "reports" / record.id / "record.json").read_bytes()) == record
