"""Of a file whose name holds a secret enough is told to find it, and no secret."""

from security.scan.masked_names import digest, masked

# None was ever anybody's.
TOKEN, OTHER = "AK" + "IAIOSFODNN7EXAMPL2", "npm" + "_" + "aB3dE6gH9j" * 3


def test_the_middle_of_each_secret_is_left_out_wherever_it_stands() -> None:
    path = f"keys/{TOKEN} and {TOKEN}/{OTHER}.txt"
    assert masked(path, {digest(TOKEN), digest(OTHER)}) == "keys/AKIA…MPL2 and AKIA…MPL2/npm_…gH9j.txt"


def test_of_secrets_that_overlap_no_middle_is_told() -> None:
    path = f"{TOKEN}.txt"
    assert masked(path, {digest(TOKEN), digest(TOKEN[:12])}) == "AKIA…MPL2.txt"


def test_a_secret_that_cannot_be_told_in_the_name_leaves_the_folder() -> None:
    assert masked(f"keys/{TOKEN}.txt", {digest(OTHER)}) == "keys/(a name)"
    assert masked(TOKEN, {digest(TOKEN), digest(OTHER)}) == "(a name)"
