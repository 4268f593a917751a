"""What checkov is given of manifests, and that one that it cannot read is named."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.errors import Inconclusive
from security.scan.checkov import Checkov, judge
from security.scan.scanner import Output, Scene

# As checkov prints it where it could read none of the files.
SUMMARY = {
    "passed": 0,
    "failed": 0,
    "skipped": 0,
    "parsing_errors": 0,
    "resource_count": 0,
    "checkov_version": "3.3.30",
}
MANIFEST = '{\n\t"apiVersion": "v1",\n\t"kind": "Pod"\n}'


def output(reply: object) -> Output:
    return Output(0, json.dumps(reply), "")


def test_where_none_of_them_could_be_read_the_first_is_named() -> None:
    copies = {"/copy/b.yaml": ("deploy/b.yaml", 4), "/copy/c.yaml": ("deploy/c.yaml", 4)}
    judgement = judge(output(SUMMARY), copies)
    assert (judgement.canary_seen, judgement.examined, judgement.findings) == (False, 0, ())
    assert judgement.doubt.startswith("2 of 2 files were not examined to their end, deploy/b.yaml among them")


def test_a_summary_of_something_that_was_read_is_no_report() -> None:
    with pytest.raises(Inconclusive, match="has not the form"):
        judge(output({**SUMMARY, "passed": 3}), {"/copy/b.yaml": ("deploy/b.yaml", 4)})


def test_copies_have_an_ending_that_it_knows_and_every_line_where_it_was(tmp_path: Path) -> None:
    for name in ("a.json", "b.YAML", "c.yml"):
        (tmp_path / name).write_text(MANIFEST)
    scene = Scene(tmp_path, ("a.json", "b.YAML", "c.yml"), tmp_path / "scratch", lambda _: tmp_path, {})
    scene.scratch.mkdir()
    with ExitStack() as stack:
        task = Checkov().prepare(scene, stack)
    copies = [Path(argument) for argument in task.arguments[task.arguments.index("--file") + 1 :]]
    assert [copy.name for copy in copies] == ["a.json.planted.yaml", "b.YAML.planted.yaml", "c.yml"]
    for copy in copies:
        lines = copy.read_text().split("\n")
        assert [line.split() for line in lines[:4]] == [line.split() for line in MANIFEST.split("\n")]
        assert lines[4] == "---"
    assert "\t" not in copies[0].read_text()


def test_a_document_of_one_line_is_not_taken_for_what_was_planted_below_it() -> None:
    """checkov tells of a document in braces one line late, and of what was planted two lines below its separator."""
    failed = [
        {"check_id": rule, "check_name": "a rule", "file_abs_path": "/copy/a.yaml", "file_line_range": [line, 14],
         "resource": "Pod"}
        for rule, line in (("CKV_K8S_17", 2), ("CKV_K8S_16", 4))
    ]  # fmt: skip
    report = {"check_type": "kubernetes", "results": {"failed_checks": failed, "parsing_errors": []}}
    judgement = judge(output(report), {"/copy/a.yaml": ("a.json", 2)})
    assert [(each.rule, each.location) for each in judgement.findings] == [("CKV_K8S_17", "a.json:1")]
    assert (judgement.examined, judgement.doubt) == (1, "")
