"""A notebook's cells become Python, and each line keeps its place in the notebook's file."""

import ast
import json
from typing import Any

import pytest

from harness.errors import Inconclusive
from security.scan.notebooks import Module, read_notebook


def cell(*lines: str, kind: str = "code") -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": [f"{line}\n" for line in lines]}


def notebook(*cells: dict[str, Any], language: str = "python") -> str:
    return json.dumps({"cells": cells, "metadata": {"kernelspec": {"language": language}}, "nbformat": 4}, indent=1)


def placed(module: Module) -> dict[str, int]:
    return dict(zip(module.code.splitlines(), module.lines, strict=True))


def test_each_line_of_code_has_the_line_of_the_file_on_which_it_stands() -> None:
    output = {**cell("import os", "os.system(x)"), "outputs": [{"text": ["os.system(x)\n"]}]}
    text = notebook(cell("os.system(x)", kind="markdown"), output, cell('say = "a \\\\ {\\"b\\": 1}"'))
    module = read_notebook(text, "a.ipynb")
    code = module.code.splitlines()
    assert code == ["import os", "os.system(x)", 'say = "a \\\\ {\\"b\\": 1}"']
    file = text.split("\n")
    assert [json.loads(file[number - 1].strip().rstrip(",")).rstrip("\n") for number in module.lines] == code


def test_a_cell_in_one_string_stands_on_its_line() -> None:
    source = {"cell_type": "code", "source": "import os\nos.system(x)"}
    text = notebook(source)
    number = 1 + next(place for place, line in enumerate(text.split("\n")) if "import os" in line)
    assert placed(read_notebook(text, "a.ipynb")) == {"import os": number, "os.system(x)": number}


def test_what_is_jupyter_s_own_leaves_the_rest_python() -> None:
    lines = ("%matplotlib inline", "!ls", "files = !ls", "help?", "if files:", "    %time go()", "    run(files)")
    module = read_notebook(notebook(cell(*lines), cell("%%time", "go()")), "a.ipynb")
    assert "run(files)" in module.code
    assert "go()" in module.code
    ast.parse(module.code)


def test_cells_in_another_language_are_counted() -> None:
    module = read_notebook(notebook(cell("%%bash", "rm -r /"), cell("total = 1")), "a.ipynb")
    assert (module.code, module.foreign) == ("total = 1\n", 1)
    assert read_notebook(notebook(cell("x <- 1"), cell("y <- 2"), language="R"), "a.ipynb") == Module("", (), 2)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"worksheets": []}', '{"cells": [{"cell_type": "code"}]}'])
def test_what_is_no_notebook_is_named(text: str) -> None:
    with pytest.raises(Inconclusive, match=r"^a/b\.ipynb could not be examined"):
        read_notebook(text, "a/b.ipynb")
