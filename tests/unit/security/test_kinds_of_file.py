"""Files are of a kind by what they are, wherever they lie; what policy leaves out is told."""

from pathlib import Path

import pytest

from security.scan.kinds import MANIFESTS, PLAYBOOKS, Given, files_of
from security.scan.python_files import is_python
from security.scan.scanner import NothingOfItsKindError, Scene

PLAYS = "- hosts: all\n  tasks: []\n"
MANIFEST = "apiVersion: v1\nkind: Pod\n"


def scene(folder: Path, **texts: str) -> Scene:
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return Scene(folder, tuple(sorted(texts)), folder / "scratch", lambda _: folder, {})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("site.yml", PLAYS),
        ("deploy/site.YAML", f"# what is set up\n\n---\n{PLAYS}"),
        ("site.yml", '- name: Site\n  "hosts": all\n  "roles": [shop]\n'),
        ("site.yml", "  - name: Site\n    hosts: all\n    pre_tasks: []\n"),
        ("all.yml", "- ansible.builtin.import_playbook: site.yml\n"),
        ("deploy/roles/shop/tasks/main.yml", "- ansible.builtin.ping:\n"),
        ("deploy/playbooks/site.yml", "- ansible.builtin.ping:\n"),
        ("playbooks/broken.yml", "- hosts: [\n"),
    ],
)
def test_a_list_of_plays_is_a_playbook_wherever_it_lies(tmp_path: Path, path: str, text: str) -> None:
    assert files_of(PLAYBOOKS, scene(tmp_path, **{path: text}), ()) == Given({path: text})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("hosts.yml", "- hosts: [a, b]\n"),
        ("settings.yml", "hosts: all\ntasks: []\n"),
        ("roles/shop/templates/site.yml", PLAYS),
        ("deploy/roles/shop/files/site.yml", PLAYS),
        ("deploy/roles/reader.yml", MANIFEST),
        ("site.txt", PLAYS),
    ],
)
def test_what_has_no_plays_is_no_playbook(tmp_path: Path, path: str, text: str) -> None:
    with pytest.raises(NothingOfItsKindError, match=r"^there is no playbook or role of Ansible in the repository$"):
        files_of(PLAYBOOKS, scene(tmp_path, **{path: text}), ())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("pod.yaml", MANIFEST),
        ("pod.YML", "kind: Pod\nmetadata: {}\napiVersion : v1\n"),
        ("pod.yaml", "\"apiVersion\": v1\n'kind': Pod\n"),
        ("pod.yaml", "{apiVersion: v1, kind: Pod}\n"),
        ("pod.json", '{\n\t"kind": "Pod",\n\t"apiVersion": "v1"\n}\n'),
        ("pod.json", '{"kind": "Pod", "apiVersion": "v1", "name": {{ name }}}'),
    ],
)
def test_a_manifest_is_known_in_every_spelling(tmp_path: Path, path: str, text: str) -> None:
    assert files_of(MANIFESTS, scene(tmp_path, **{path: text}), ()) == Given({path: text})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("values.yaml", "pod:\n  apiVersion: v1\n  kind: Pod\n"),
        ("schema.json", '{"properties": {"apiVersion": {}, "kind": {}}}'),
        ("package.json", '{"name": "shop"}'),
    ],
)
def test_what_only_speaks_of_manifests_is_none(tmp_path: Path, path: str, text: str) -> None:
    with pytest.raises(NothingOfItsKindError):
        files_of(MANIFESTS, scene(tmp_path, **{path: text}), ())


def test_how_many_files_are_left_out_is_told_also_where_there_are_no_others(tmp_path: Path) -> None:
    samples = {"tests/a.yaml": MANIFEST, "tests/b/c.yaml": MANIFEST, "tests/none.yaml": "a: 1\n"}
    told = "left out, because samples stand there: 2 below tests"
    with pytest.raises(NothingOfItsKindError, match=f"^there is no manifest of Kubernetes in the repository; {told}$"):
        files_of(MANIFESTS, scene(tmp_path, **samples), ("tests",))
    assert files_of(MANIFESTS, scene(tmp_path, **samples, **{"pod.yaml": MANIFEST}), ("tests",)).left_out == (told,)


@pytest.mark.parametrize(
    ("path", "text", "whether"),
    [
        ("shop.py", "", True),
        ("shop.PYW", "", True),
        ("shop.pyi", "", True),
        ("tool", "#!/usr/bin/env python3\n", True),
        ("tool.cgi", "#!/usr/bin/python\n", True),
        ("tool", "#!/bin/sh\n'''exec' python3 -- \"$0\" \"$@\"\n' '''\nimport os\n", True),
        ("tool", '#!/bin/sh\nexec python3 -m shop "$@"\n', False),
        ("tool.rb", "#!/usr/bin/ruby\n", False),
        ("tool", "import os\n", False),
    ],
)
def test_python_is_known_by_its_ending_its_first_line_or_what_runs_it(
    tmp_path: Path, path: str, text: str, *, whether: bool
) -> None:
    (tmp_path / path).write_text(text)
    assert is_python(tmp_path, path) is whether


def test_what_cannot_be_read_is_not_taken_for_python(tmp_path: Path) -> None:
    assert not is_python(tmp_path, "gone")
