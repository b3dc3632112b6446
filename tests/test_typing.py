# SPDX-License-Identifier: Apache-2.0
"""The order of trust is a type: mypy refuses each wrong use in ``tests/typing``, by the line and code stated there."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SNIPPETS = sorted((ROOT / "tests" / "typing").glob("*.snippet"))
ERROR = re.compile(r"(?P<path>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$")
Errors = set[tuple[int, str]]


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Errors]:
    """What one run of mypy says of all snippets: line and code of each error, by the snippet's name."""
    assert importlib.util.find_spec("mypy"), "mypy is missing: pip install -r requirements-dev.txt (`make unit` does)"
    folder = tmp_path_factory.mktemp("typing")
    for path in SNIPPETS:
        (folder / path.with_suffix(".py").name.replace("-", "_")).write_text(path.read_text())
    options = [
        "--config-file",
        str(ROOT / "pyproject.toml"),
        "--no-pretty",
        "--no-error-summary",
        "--hide-error-context",
    ]
    command = [sys.executable, "-m", "mypy", *options, *sorted(str(path) for path in folder.iterdir())]
    output = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Errors] = {path.stem: set() for path in SNIPPETS}
    for line in output.splitlines():
        if ": note: " not in line:
            error = ERROR.match(line)
            assert error, f"mypy says something else: {line}"
            found[Path(error["path"]).stem.replace("_", "-")].add((int(error["line"]), error["code"]))
    return found


def stated(path: Path) -> Errors:
    """The errors that the comments of ``path`` state."""
    lines = enumerate(path.read_text().splitlines(), 1)
    return {(number, code) for number, line in lines for code in line.partition("# expect: ")[2].split()}


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.stem)
def test_mypy_says_exactly_what_is_stated(path: Path, reported: dict[str, Errors]) -> None:
    """Neither less, so that no wrong order passes, nor more, so that each line is refused for its own reason."""
    assert stated(path) == reported[path.stem]


def test_right_order_is_among_the_snippets_and_states_no_error() -> None:
    """Else a mypy that refuses everything would do."""
    (right,) = [path for path in SNIPPETS if path.stem == "right-order"]
    assert set() == stated(right)
    assert 25 < sum(len(stated(path)) for path in SNIPPETS)
