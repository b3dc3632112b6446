# SPDX-License-Identifier: Apache-2.0
"""``--import``: whole Apache configurations against the exact ``vhost.yaml`` that they become.

Those of users, addresses, hosts and database are what mod_selinux's README shows how to do.  After a change that is meant to
change the output: ``python -m tests.unit.test_apache`` writes the files again.
"""

import re
import shutil
import tempfile
from pathlib import Path

import pytest

from selsock.generate.__main__ import main
from selsock.generate.apache.convert import imported

CASES = Path(__file__).parents[1] / "apache"
NAMES = sorted(path.name for path in CASES.iterdir())
INSTALLED = "/etc/httpd"  # where the files of a case are, as far as they know
WRAPPED = re.compile(r"\n *#     (?=[^# ])")  # where depends on the length of the path that the checkout has
Captured = pytest.CaptureFixture[str]


def made(case: str) -> str:
    """What the configuration of ``case`` becomes, as if it were in ``INSTALLED``."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:  # as long everywhere: paths are wrapped
        shutil.copytree(CASES / case, directory, dirs_exist_ok=True)
        text, _ = imported(Path(directory) / "httpd.conf")
    return WRAPPED.sub(" ", text).replace(directory, INSTALLED)


@pytest.mark.parametrize("case", NAMES)
def test_every_line_is_exactly_as_expected(case: str) -> None:
    assert WRAPPED.sub(" ", (CASES / case / "vhost.yaml").read_text()) == made(case)


@pytest.mark.parametrize("case", NAMES)
def test_the_result_is_good(case: str, tmp_path: Path, capsys: Captured) -> None:
    """As the program writes it, and twice the same; the list is on stderr, too."""
    source = str(CASES / case / "httpd.conf")
    assert main(["--import", source]) == 0
    first = capsys.readouterr()
    assert main(["--import", source]) == 0
    assert first == capsys.readouterr()
    (tmp_path / "vhost.yaml").write_text(first.out)
    assert main(["--check", str(tmp_path / "vhost.yaml")]) == 0
    listed = first.out.partition("# Not carried over, or not as it was:\n# ")[2].replace("\n#     ", " ")
    assert listed.removesuffix("\n").split("\n# ") == first.err.splitlines()


if __name__ == "__main__":
    for name in NAMES:
        (CASES / name / "vhost.yaml").write_text(made(name))
