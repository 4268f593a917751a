from pathlib import Path

import pytest

from harness.config import ConfigurationError, Table, find_target, load, read_token
from harness.nightly import NightlyTable

REPOSITORY = Path(__file__).resolve().parents[4]


class Inner(Table):
    budget_seconds: int


class Owned(Table):
    quick: bool = False
    jobs: tuple[Inner, ...] = ()


def write(folder: Path, text: str) -> Path:
    path = folder / "ops.toml"
    path.write_text(text, "utf-8")
    return path


def complaints(path: Path, **tables: type[Table]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path, tables)
    return str(caught.value).splitlines()


def test_the_repositorys_own_file_is_usable() -> None:
    configuration = load(REPOSITORY / "ops.toml", {"nightly": NightlyTable})
    assert configuration.reports_directory == REPOSITORY / "reports"
    assert configuration.table("nightly", NightlyTable).jobs


def test_a_remote_target_is_read(tmp_path: Path) -> None:
    text = (
        '[targets.live]\nurl = "https://mcp.example.com/mcp"\ntoken_env = "LIVE"\nproduction = true\nstore = "canary"'
    )
    target = find_target(load(write(tmp_path, text)), "live")
    assert (str(target.url), target.production, target.store) == ("https://mcp.example.com/mcp", True, "canary")


def test_the_callers_own_table_is_read_with_its_model_and_defaults_to_it(tmp_path: Path) -> None:
    path = write(tmp_path, "[nightly]\nquick = true\n[[nightly.jobs]]\nbudget_seconds = 5")
    assert load(path, {"nightly": Owned}).table("nightly", Owned) == Owned(quick=True, jobs=(Inner(budget_seconds=5),))
    assert load(write(tmp_path, ""), {"nightly": Owned}).table("nightly", Owned) == Owned()


def test_a_table_of_another_package_is_known_by_name_alone(tmp_path: Path) -> None:
    load(write(tmp_path, "[nightly]\nanything = 1"))


def test_every_problem_is_listed_at_once_with_its_place(tmp_path: Path) -> None:
    text = """
    [target.staging]
    url = "x"
    [targets.staging]
    url = "ftp://example.com"
    tokenenv = "X"
    [targets.other]
    [targets.local]
    url = "http://example.com/mcp"
    [reports]
    keep = 0
    [[nightly.jobs]]
    budget_second = 5
    """
    assert complaints(write(tmp_path, text), nightly=Owned) == [
        "ops.toml: target: unknown table; did you mean targets?",
        "ops.toml: targets.local: the name local is taken by the target that is started here",
        "ops.toml: targets.staging.url: URL scheme should be 'http' or 'https'",
        "ops.toml: targets.staging.tokenenv: unknown key; did you mean token_env?",
        "ops.toml: targets.other.url: is missing",
        "ops.toml: reports.keep: Input should be greater than or equal to 10",
        "ops.toml: nightly.jobs[1].budget_seconds: is missing",
        "ops.toml: nightly.jobs[1].budget_second: unknown key; did you mean budget_seconds?",
    ]


def test_an_unknown_name_that_is_like_no_other_gets_the_known_ones(tmp_path: Path) -> None:
    assert complaints(write(tmp_path, "[zzz]\n[reports]\nqqq = 1")) == [
        "ops.toml: zzz: unknown table (known: audit, bench, load, nightly, profile, reports, sentry, targets)",
        "ops.toml: reports.qqq: unknown key (known: directory, keep)",
    ]


@pytest.mark.parametrize(
    "line",
    [
        'token = "s3cr3t"',
        'token_env = "s3cr3t-value"',
        'url = "https://user:s3cr3t@h/mcp"',
        'url = "https://h/?t=s3cr3t"',
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    url = "" if line.startswith("url") else 'url = "https://h/mcp"\n'
    (complaint,) = complaints(write(tmp_path, f"[targets.a]\n{url}{line}"))
    assert complaint.startswith("ops.toml: targets.a")
    assert "s3cr3t" not in complaint


def test_broken_toml_is_one_line_with_its_line_number(tmp_path: Path) -> None:
    (complaint,) = complaints(write(tmp_path, "[reports]\nkeep = \n"))
    assert complaint.startswith("ops.toml: ")
    assert "line 2" in complaint


def test_a_file_that_is_missing_or_not_text_is_one_line(tmp_path: Path) -> None:
    assert complaints(tmp_path / "none.toml") == [f"{tmp_path}/none.toml: No such file or directory"]
    (tmp_path / "ops.toml").write_bytes(b"\xff\xfe")
    assert complaints(tmp_path / "ops.toml") == ["ops.toml: not UTF-8 text"]


def test_a_target_that_is_not_there_gets_a_suggestion(tmp_path: Path) -> None:
    configuration = load(write(tmp_path, '[targets.staging]\nurl = "https://h/mcp"'))
    with pytest.raises(ConfigurationError, match=r"target stagin is not in ops.toml; did you mean staging\?$"):
        find_target(configuration, "stagin")
    with pytest.raises(ConfigurationError, match=r"target zzz is not in ops.toml \(known: local, staging\)$"):
        find_target(configuration, "zzz")


def test_tokens_come_from_the_variable_or_the_file_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    text = """
    [targets.variable]
    url = "https://h/mcp"
    token_env = "THE_TOKEN"
    [targets.file]
    url = "https://h/mcp"
    token_file = "key"
    [targets.open]
    url = "https://h/mcp"
    """
    configuration = load(write(tmp_path, text))
    assert read_token(configuration, "variable", {"THE_TOKEN": "from-variable"}) == "from-variable"
    assert read_token(configuration, "file", {}) == "from-file"
    assert read_token(configuration, "open", {}) is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, r"cannot read token_file .*: No such file or directory$"),
        (b"\xff\xfe", r"cannot read token_file .*: not text$"),
        (b" \n", r"is empty$"),
        (b"two words", r"no bearer token"),
    ],
)
def test_a_token_file_without_a_token_is_one_line(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    configuration = load(write(tmp_path, '[targets.a]\nurl = "https://h/mcp"\ntoken_file = "key"'))
    with pytest.raises(ConfigurationError, match=complaint):
        read_token(configuration, "a", {})


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    configuration = load(write(tmp_path, '[targets.a]\nurl = "https://h/mcp"\ntoken_env = "THE_TOKEN"'))
    for environ in ({}, {"THE_TOKEN": " "}):
        with pytest.raises(ConfigurationError, match=r"^target a: the environment variable THE_TOKEN is not set"):
            read_token(configuration, "a", environ)
