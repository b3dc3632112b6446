# SPDX-License-Identifier: Apache-2.0
"""completion.bash: what a real bash offers for a command line of selsock-generate that ends at the cursor."""

import subprocess
from argparse import _SubParsersAction
from pathlib import Path

import pytest

from selsock.ctl.__main__ import arguments as ctl_arguments
from selsock.generate.__main__ import PROGRAM, arguments

COMPLETION = Path(__file__).parents[2] / "packaging/completion.bash"
# What readline does at a tab: find the function that is registered for the program, and call it.
SCRIPT = f"""
source "$1"; shift
[[ $(complete -p {PROGRAM}) =~ -F\\ ([a-z_]+)\\ {PROGRAM}$ ]] || exit 1
COMP_WORDS=({PROGRAM} "$@") COMP_CWORD=$#
"${{BASH_REMATCH[1]}}"
[ "${{#COMPREPLY[@]}}" = 0 ] || printf '%s\\0' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Configurations, another file, and directories, one of each with a space in its name."""
    for name in ("my out", "out"):
        (tmp_path / name).mkdir()
    for name in ("my vhost.yaml", "vhost.yaml", "vhost.yaml.ranges", "out/more.yaml"):
        (tmp_path / name).touch()
    return tmp_path


def offered(folder: Path, *words: str) -> list[str]:
    """What is offered in ``folder`` for the last of ``words``, as bash splits them: at ``=``, too."""
    command = ["bash", "--norc", "--noprofile", "-c", SCRIPT, "bash", str(COMPLETION), *words]
    done = subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True, timeout=60)
    assert "" == done.stderr
    return sorted(done.stdout.split("\0")[:-1])


DIRECTORIES = ["my out", "out"]
FILES = ["my out", "my vhost.yaml", "out", "vhost.yaml"]


def test_options_are_those_of_the_parser(folder: Path) -> None:
    """No less and no more; ``-h`` is short enough."""
    known = {option for action in arguments()._actions for option in action.option_strings}
    assert sorted(known - {"-h"}) == offered(folder, "-")
    assert sorted(known - {"-h"}) == offered(folder, "--check", "--")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([""], FILES),
        (["v"], ["vhost.yaml"]),
        (["my"], ["my out", "my vhost.yaml"]),
        (["out/"], ["out/more.yaml"]),
        (["none"], []),
        (["--check", ""], FILES),
        (["--diff", "--output", "out", ""], FILES),
        (["--output", "=", "out", ""], FILES),
    ],
)
def test_configuration_is_a_yaml_file_or_on_the_way_to_one(folder: Path, words: list[str], wanted: list[str]) -> None:
    """Also behind options, and behind the directory of --output, which is no configuration."""
    assert wanted == offered(folder, *words)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--output", ""], DIRECTORIES),
        (["--output", "m"], ["my out"]),
        (["--output", "v"], []),
        (["--output", "="], DIRECTORIES),
        (["--output", "=", "m"], ["my out"]),
        (["vhost.yaml", "--output", ""], DIRECTORIES),
        (["--renew", "--output", ""], DIRECTORIES),
    ],
)
def test_output_is_a_directory(folder: Path, words: list[str], wanted: list[str]) -> None:
    """Whether it is written with a space or with ``=``."""
    assert wanted == offered(folder, *words)


@pytest.mark.parametrize("words", [["--import", ""], ["--import", "="]])
def test_import_is_any_file(folder: Path, words: list[str]) -> None:
    """Apache's files have all kinds of names."""
    assert ["my out", "my vhost.yaml", "out", "vhost.yaml", "vhost.yaml.ranges"] == offered(folder, *words)


@pytest.mark.parametrize(
    "before", [["--renew"], ["--remove"], ["vhost.yaml"], ["--check", "vhost.yaml"], ["--import", "out"]]
)
def test_no_file_is_offered_where_none_is_taken(folder: Path, before: list[str]) -> None:
    """What takes no configuration, and a second one; options are still offered."""
    assert [] == offered(folder, *before, "")
    assert [] == offered(folder, *before, "v")
    assert ["--diff"] == offered(folder, *before, "--d")


@pytest.mark.parametrize(
    ("word", "wanted"),
    [("--ren", ["--renew"]), ("--re", ["--relabel", "--remove", "--renew"]), ("--x", []), ("--help", ["--help"])],
)
def test_option_is_completed_by_its_beginning(folder: Path, word: str, wanted: list[str]) -> None:
    """All that begin so."""
    assert wanted == offered(folder, word)


def offered_ctl(folder: Path, *words: str) -> list[str]:
    """The same of selsockctl."""
    script = SCRIPT.replace(PROGRAM, "selsockctl")
    command = [
        "bash",
        "--norc",
        "--noprofile",
        "-c",
        script,
        "bash",
        str(COMPLETION.with_name("completion-ctl.bash")),
        *words,
    ]
    done = subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True, timeout=60)
    assert "" == done.stderr
    return sorted(done.stdout.split("\0")[:-1])


def test_selsockctl_is_completed_too(folder: Path) -> None:
    """Commands, the options of each as the parser has them, and a file to explain."""
    (commands,) = [action for action in ctl_arguments()._actions if isinstance(action, _SubParsersAction)]
    assert [*sorted(["--help", "--version"]), *sorted(commands.choices)] == offered_ctl(folder, "")
    for name, parser in commands.choices.items():
        known = {option for action in parser._actions for option in action.option_strings} - {"-h"}
        assert sorted(known) == offered_ctl(folder, name, "-")
    assert FILES == offered_ctl(folder, "explain", "")
    assert [] == offered_ctl(folder, "explain", "--host", "")
    assert ["PATCH", "POST", "PUT"] == offered_ctl(folder, "explain", "--method", "P")
