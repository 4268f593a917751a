import pytest

from harness.verdict import CheckStatus, Status, judge


@pytest.mark.parametrize("name", ["waivers", "ran", "conformance.waivers", "story.ran"])
def test_a_run_whose_only_pass_is_about_the_run_itself_showed_nothing(name: str) -> None:
    assert judge([(name, CheckStatus.PASSED)]) is Status.INCONCLUSIVE
    assert judge([(name, CheckStatus.PASSED), ("run", CheckStatus.INCONCLUSIVE)], ["run"]) is Status.INCONCLUSIVE
    assert judge([(name, CheckStatus.WAIVED), ("code", CheckStatus.SKIPPED)]) is Status.INCONCLUSIVE
    assert judge([(name, CheckStatus.FAILED)]) is Status.FAILED
    assert judge([(name, CheckStatus.PASSED), ("story.note", CheckStatus.PASSED)]) is Status.PASSED
