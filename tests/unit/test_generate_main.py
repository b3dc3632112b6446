# SPDX-License-Identifier: Apache-2.0
"""The command: what each option does, what each exit status means, one line for each failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from selsock import __version__
from selsock.generate import __main__ as module
from selsock.generate.__main__ import main
from selsock.generate.command_line import MACHINE
from selsock.generate.faults import MachineFault
from selsock.generate.plan import APPLIED

SOURCE = """\
domains: {public: {}, staff: {}}
vhosts:
  a.example: {root: /srv/a, domain: public, range: auto, contexts: [{any: true}]}
"""
FILES = (
    "etc/systemd/system/selsock.socket",
    "etc/systemd/system/selsock@.service",
    "etc/systemd/system/system-selsock.slice",
    "var/lib/selsock/applied",
    "var/lib/selsock/file_contexts",
    "var/lib/selsock/ranges",
    "var/lib/selsock/selsock_tenants.cil",
    "var/lib/selsock/table.cdb",
)
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A good source."""
    path = tmp_path / "vhost.yaml"
    path.write_text(SOURCE)
    return path


def below(path: Path) -> set[str]:
    """The files below ``path``."""
    return {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}


def test_output_writes_below_the_directory_and_nowhere_else(source: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    assert main(["--output", str(out), str(source)]) == 0
    assert below(out) == {*FILES, f"{source}.ranges".lstrip("/")}
    assert below(tmp_path) == {"vhost.yaml", *(f"out/{name}" for name in below(out))}
    said = capsys.readouterr()
    assert set(said.out.splitlines()) == {f"wrote {out}/{name}" for name in below(out)}
    assert said.err == ""


def test_a_second_run_changes_nothing_and_says_so(source: Path, tmp_path: Path, capsys: Captured) -> None:
    main(["--output", str(tmp_path / "out"), str(source)])
    capsys.readouterr()
    assert main(["--output", str(tmp_path / "out"), str(source)]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {"same"}


def test_a_relative_source_gives_the_same_bytes(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main(["--output", str(tmp_path / "one"), str(source)])
    monkeypatch.chdir(tmp_path)
    main(["--output", "two", "vhost.yaml"])
    assert below(tmp_path / "one") == below(tmp_path / "two")
    for name in below(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_ledger_is_read_beside_the_source_and_below_the_directory(source: Path, tmp_path: Path) -> None:
    """Neither is lost, and the one beside the source is never written to."""
    out = tmp_path / "out"
    beside = Path(f"{source}.ranges")
    beside.write_text("old.example 4 s0:c0,c5\n")
    main(["--output", str(out), str(source)])
    staged = out / f"{source}.ranges".lstrip("/")
    assert [line for line in staged.read_text().splitlines() if line[0] != "#"] == [
        "old.example 4 s0:c0,c5",
        "a.example 5 s0:c0,c6",
    ]
    beside.unlink()
    source.write_text(SOURCE + "  b.example: {root: /srv/b, domain: staff, range: auto, contexts: [{any: true}]}\n")
    main(["--output", str(out), str(source)])
    assert staged.read_text().endswith("a.example 5 s0:c0,c6\nb.example 6 s0:c0,c7\n")


def test_ledgers_that_contradict_are_refused(source: Path, tmp_path: Path, capsys: Captured) -> None:
    main(["--output", str(tmp_path / "out"), str(source)])
    Path(f"{source}.ranges").write_text("a.example 4 s0:c0,c5\n")
    assert main(["--output", str(tmp_path / "out"), str(source)]) == 2
    assert "expected each vhost once, not 'a.example' again (it has pair 4)" in capsys.readouterr().err


def test_two_sources_of_one_machine_never_share_a_pair(source: Path, tmp_path: Path) -> None:
    """The machine's own ledger knows what another source was given."""
    main(["--output", str(tmp_path / "out"), str(source)])
    other = tmp_path / "other.yaml"
    other.write_text(SOURCE.replace("a.example", "b.example").replace("/srv/a", "/srv/b"))
    assert main(["--output", str(tmp_path / "out"), str(other)]) == 0
    lines = (tmp_path / "out/var/lib/selsock/ranges").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["a.example 0 s0:c0,c1", "b.example 1 s0:c0,c2"]


def test_a_ledger_is_not_read_through_a_link(source: Path, tmp_path: Path, capsys: Captured) -> None:
    """An error shows the line that it is about, and the link may lead to any file."""
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "vhost.yaml.ranges").symlink_to(tmp_path / "secret")
    assert main(["--check", str(source)]) == 3
    assert capsys.readouterr().err == f"selsock-generate: {source}.ranges: Too many levels of symbolic links\n"


def test_the_limit_per_source_follows_the_limit_of_all(source: Path, tmp_path: Path) -> None:
    """Where it is not given, a small number of connections lowers it."""
    source.write_text(SOURCE + "limits: {connections: 9}\n")
    assert main(["--output", str(tmp_path / "out"), str(source)]) == 0
    assert "\nMaxConnectionsPerSource=9\n" in (tmp_path / "out/etc/systemd/system/selsock.socket").read_text()


def test_check(source: Path, tmp_path: Path, capsys: Captured) -> None:
    assert main(["--check", str(source)]) == 0
    assert capsys.readouterr().out == f"{source}: good: 1 vhost, 2 domains\n"
    assert below(tmp_path) == {"vhost.yaml"}


def test_diff(source: Path, tmp_path: Path, capsys: Captured) -> None:
    out = str(tmp_path / "out")
    assert main(["--output", out, "--diff", str(source)]) == 1
    assert "--- /dev/null" in capsys.readouterr().out
    assert not Path(out).exists()
    main(["--output", out, str(source)])
    capsys.readouterr()
    assert main(["--output", out, "--diff", str(source)]) == 0
    assert capsys.readouterr().out == ""
    source.write_text(SOURCE.replace("any: true", "anonymous: true"))
    assert main(["--output", out, "--diff", str(source)]) == 1
    said = capsys.readouterr().out
    assert f"+++ {out}/var/lib/selsock/table.cdb\n" in said
    assert "-    rule\tselsock_public_t:s0:c0,c1\tvhost.yaml:3\tany\t\n" in said
    assert "+    rule\tselsock_public_t:s0:c0,c1\tvhost.yaml:3\tanonymous\t\n" in said
    assert "selsock.socket" not in said


def test_diff_against_a_table_that_is_none(source: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    main(["--output", str(out), str(source)])
    (out / "var/lib/selsock/table.cdb").write_bytes(b"rubbish")
    capsys.readouterr()
    assert main(["--output", str(out), "--diff", str(source)]) == 1
    assert "-(not a table: shorter than the header of a cdb)" in capsys.readouterr().out


def test_warnings(source: Path, capsys: Captured) -> None:
    source.write_text('selinux: optional\nlisten: [80, "127.0.0.1:8081"]\n' + SOURCE)
    assert main(["--check", str(source)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "warning: selinux: optional serves without confinement where SELinux does not enforce",
        (
            "hint: port 8081 is not one of a web server; if it can not be bound, no port is: "
            "semanage port -a -t http_port_t -p tcp 8081"
        ),
    ]


CGI = """domains: {public: {execute: true}}
vhosts:
  a.example:
    {root: /srv/a, domain: public, range: s0, contexts: [{any: true}], %s, locations: {/x: {cgi: {directory: /x/y}}}}
"""


@pytest.mark.parametrize(
    ("content", "warned"),
    [
        ("content: {/z: {access: execute}}", True),
        ("content: {/x: {access: write}}", True),
        ("content: {/x: {access: execute}}", False),
        ("content: {/x/y: {access: execute}}", False),
        ("content: {/x/y/z: {access: execute}}", False),
    ],
)
def test_scripts_that_nobody_could_run_are_a_warning(
    source: Path, capsys: Captured, content: str, warned: bool
) -> None:
    """For the label of their own directory, of one above it, or of one in it."""
    source.write_text(CGI % content)
    assert main(["--check", str(source)]) == 0
    line = "warning: /srv/a/x/y holds CGI programs, and nothing there can be run without access: execute in content"
    assert capsys.readouterr().err.splitlines() == [line] * warned


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "selsock-generate: one of the arguments vhost.yaml --import --renew --remove is required"),
        (["--check"], "selsock-generate: one of the arguments vhost.yaml --import --renew --remove is required"),
        (["--import"], "selsock-generate: argument --import: expected one argument"),
        (["--import", "a", "vhost.yaml"], "selsock-generate: argument --import: not allowed with argument vhost.yaml"),
        (["--import", "a", "--output", "x"], "selsock-generate: argument --import: not allowed with argument --output"),
        (["--import", "a", "--check"], "selsock-generate: argument --check: not allowed with argument --import"),
        (
            ["--relabel", "--output", "x", "vhost.yaml"],
            "selsock-generate: argument --relabel: not allowed with argument --output",
        ),
        (["--relabel"], "selsock-generate: one of the arguments vhost.yaml --import --renew --remove is required"),
        (["--relabel", "--diff", "a"], "selsock-generate: argument --diff: not allowed with argument --relabel"),
        (["--renew", "vhost.yaml"], "selsock-generate: argument --renew: not allowed with argument vhost.yaml"),
        (["--remove", "vhost.yaml"], "selsock-generate: argument --remove: not allowed with argument vhost.yaml"),
        (["--renew", "--output", "x"], "selsock-generate: argument --renew: not allowed with argument --output"),
        (["--remove", "--output", "x"], "selsock-generate: argument --remove: not allowed with argument --output"),
        (["--renew", "--remove"], "selsock-generate: argument --remove: not allowed with argument --renew"),
        (["--renew", "--check"], "selsock-generate: argument --check: not allowed with argument --renew"),
        (["--remove", "--diff"], "selsock-generate: argument --diff: not allowed with argument --remove"),
        (["--chec", "vhost.yaml"], "selsock-generate: unrecognized arguments: --chec"),
        (["--check", "--diff", "vhost.yaml"], "selsock-generate: argument --diff: not allowed with argument --check"),
        (
            ["--check", "--output", "x", "vhost.yaml"],
            "selsock-generate: argument --check: not allowed with argument --output",
        ),
        (["one", "two"], "selsock-generate: unrecognized arguments: two"),
        (
            ["--check", "a b.yaml"],
            "selsock-generate: expected a file name of letters, digits and ._-+@=~, not 'a b.yaml'",
        ),
        (["/a\nb/vhost.yaml"], "selsock-generate: expected a path on one line, not '/a\\nb/vhost.yaml'"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments: list[str], line: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err == line + "\n"


def test_version(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"selsock-generate {__version__}\n"


def test_a_bad_configuration_writes_nothing(source: Path, tmp_path: Path, capsys: Captured) -> None:
    source.write_text("vhosts: {}\n")
    assert main(["--output", str(tmp_path / "out"), str(source)]) == 2
    assert capsys.readouterr().err == f"{source}:1:9: vhosts: expected one vhost at least, not an empty mapping\n"
    assert below(tmp_path) == {"vhost.yaml"}


@pytest.mark.parametrize("option", ["--check", "--diff", None])
def test_a_source_that_is_not_there(tmp_path: Path, option: str | None, capsys: Captured) -> None:
    missing = str(tmp_path / "vhost.yaml")
    arguments = [option, missing] if option else ["--output", str(tmp_path / "out"), missing]
    assert main(arguments) == 3
    assert capsys.readouterr().err == f"selsock-generate: {missing}: No such file or directory\n"


def test_a_directory_that_is_a_file(source: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "out").write_text("")
    assert main(["--output", str(tmp_path / "out"), str(source)]) == 3
    said = capsys.readouterr().err
    assert said.startswith("selsock-generate: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("option", ["--renew", "--remove", ""])
def test_only_root_can_apply(source: Path, option: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr("selsock.generate.__main__.os.geteuid", lambda: 1000)
    assert main([option or str(source)]) == 3
    assert capsys.readouterr().err == (
        "selsock-generate: only root can apply a configuration or undo it; --check and --output DIR need no root\n"
    )


@pytest.mark.parametrize("option", ["--renew", "--remove"])
def test_renew_and_remove_are_called_and_tell(option: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """Each alone; what one of them raises is one line."""
    monkeypatch.setattr("selsock.generate.__main__.os.geteuid", lambda: 0)
    monkeypatch.setattr(module, "Selinux", lambda: None)
    monkeypatch.setattr(module, "renew", lambda say: say("this was --renew"))
    monkeypatch.setattr(module, "remove", lambda selinux, say: say("this was --remove"))
    assert main([option]) == 0
    assert capsys.readouterr().out == f"this was {option}\n"

    def stands_in_the_way(*_: object) -> None:
        raise MachineFault("semodule failed with status 1: no reason given")

    monkeypatch.setattr(module, option[2:], stands_in_the_way)
    assert main([option]) == 3
    assert capsys.readouterr().err == "selsock-generate: semodule failed with status 1: no reason given\n"


def test_what_is_applied_is_the_source_to_the_byte(source: Path, tmp_path: Path, capsys: Captured) -> None:
    """With its path; and --diff shows when it is another."""
    source.write_bytes(SOURCE.encode() + b"# \xc3\xa4\r\n# no end of line")
    out = str(tmp_path / "out")
    main(["--output", out, str(source)])
    expected = f"{source}\n".encode() + source.read_bytes()
    assert (tmp_path / "out" / APPLIED).read_bytes() == expected
    assert main(["--output", out, "--diff", str(source)]) == 0
    source.write_text(SOURCE + "# a comment\n")
    capsys.readouterr()
    assert main(["--output", out, "--diff", str(source)]) == 1
    assert f"+++ {out}/{APPLIED}\n" in capsys.readouterr().out


def test_an_interruption_is_one_line(source: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """And an exit status of its own kind."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "prepare", interrupt)
    assert main(["--check", str(source)]) == 3
    assert capsys.readouterr().err == "selsock-generate: interrupted\n"


def test_root_applies(source: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """And a machine that stands in the way is one line."""

    def stands_in_the_way() -> None:
        raise MachineFault("no libselinux binding")

    monkeypatch.setattr("selsock.generate.__main__.os.geteuid", lambda: 0)
    monkeypatch.setattr(module, "Selinux", stands_in_the_way)
    assert main([str(source)]) == 3
    assert capsys.readouterr().err == "selsock-generate: no libselinux binding\n"


def test_as_a_program(source: Path) -> None:
    """Isolated, as it is installed: from anywhere, and with nothing taken from the current directory."""
    checkout = str(Path(__file__).parents[2])
    program = f"import sys; sys.path.append({checkout!r}); from selsock.generate.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-I", "-c", program, "--check", "vhost.yaml"]
    done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "vhost.yaml: good: 1 vhost, 2 domains\n"


def test_a_missing_root_stops_before_anything_is_done(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(module, "apply", None)
    monkeypatch.setattr(module, "Selinux", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert module.main([str(source)]) == MACHINE
    assert capsys.readouterr().err.endswith("is missing: create it\n")
