# SPDX-License-Identifier: Apache-2.0
"""Whole configurations against the exact bytes of everything that is made of them.

After a change that is meant to change the output: ``python -m tests.unit.test_golden`` writes the files again, and
``git diff`` shows what it means.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from selsock.cdb import Reader
from selsock.generate import conflicts
from selsock.generate.applied import Applied
from selsock.generate.compiled import decoded
from selsock.generate.configuration import configure
from selsock.generate.maps import Maps
from selsock.generate.plan import APPLIED, TABLE, Plan, plan
from selsock.generate.ranges import Ledger
from selsock.generate.records import table_record, vhost_record
from selsock.generate.source import load
from selsock.model import Listener, Table, Vhost

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(path.name for path in GOLDEN.iterdir())
SOURCE = "/etc/selsock/vhost.yaml"
LEDGER = f"{SOURCE}.ranges"
# The lines of the table, since its bytes tell a reviewer nothing.
READABLE = "table.txt"


def planned(case: str) -> Plan:
    """The plan for a case, as if its source were /etc/selsock/vhost.yaml."""
    data = (GOLDEN / case / "vhost.yaml").read_bytes()
    ledger = Ledger()
    maps = Maps({f"/etc/selsock/{path.name}": path.read_bytes() for path in (GOLDEN / case).glob("*.map")})
    configuration = configure(load(data, "vhost.yaml"), "vhost.yaml", ledger, maps)
    conflicts.check(configuration)
    return plan(configuration, ledger, LEDGER, Applied(Path(SOURCE), data).compose())


def made(case: str) -> dict[str, bytes]:
    """All files of a case: the artifacts, and the table in a form for readers."""
    files = {f"expected/{artifact.path}": artifact.data for artifact in planned(case).artifacts}
    return files | {READABLE: decoded(files[f"expected/{TABLE}"]).encode()}


def present(case: str) -> dict[str, bytes]:
    """All files that the case has in the repository, but for its sources."""
    files = (path for path in (GOLDEN / case).rglob("*") if path.is_file())
    sources = ("vhost.yaml", ".map")
    found = {str(path.relative_to(GOLDEN / case)): path.read_bytes() for path in files}
    return {name: data for name, data in found.items() if not name.endswith(sources)}


@pytest.mark.parametrize("case", CASES)
def test_every_artifact_is_exactly_as_expected(case: str) -> None:
    assert made(case) == present(case)


@pytest.mark.parametrize("case", CASES)
def test_the_handler_reads_what_was_compiled(case: str, tmp_path: Path) -> None:
    """Each vhost under each of its names, to the byte, and the generation that the policy ends with."""
    its = planned(case)
    table = tmp_path / "table.cdb"
    table.write_bytes(its.artifact(TABLE).data)
    reader = Reader(str(table))
    settings = reader.get(b"table")
    assert settings is not None
    assert Table.parse(settings).generation == its.generation
    assert table_record(Table.parse(settings)) == settings
    for line in (GOLDEN / case / READABLE).read_text().splitlines():
        if line.startswith("host "):
            record = reader.get(line.encode())
            assert record is not None
            assert vhost_record(Vhost.parse(record)) == record
            assert line.removeprefix("host ") in Vhost.parse(record).names
        if line.startswith("listener "):
            assert Listener(reader.get(line.partition("\t")[0].encode()) or b"").networks is not None
        if line.startswith("map "):
            key, value = line.split("\t")
            assert reader.get(key.encode()) == value.encode()
    reader.close()


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_same_input_gives_same_bytes_in_another_process(seed: str, tmp_path: Path) -> None:
    """The order of a set or dict of strings depends on the seed; the output must not."""
    shutil.copy(GOLDEN / "full" / "vhost.yaml", tmp_path)
    command = [
        sys.executable,
        "-m",
        "selsock.generate",
        "--output",
        str(tmp_path / "out"),
        str(tmp_path / "vhost.yaml"),
    ]
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(GOLDEN.parents[1])}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    for path, data in made("full").items():
        if path.startswith("expected/") and not path.endswith((".ranges", APPLIED)):
            assert (tmp_path / "out" / path.removeprefix("expected/")).read_bytes() == data, path
    ledger = tmp_path / "out" / f"{tmp_path}/vhost.yaml.ranges".lstrip("/")
    assert ledger.read_bytes() == made("full")[f"expected{LEDGER}"]
    expected = made("full")[f"expected/{APPLIED}"].replace(SOURCE.encode(), f"{tmp_path}/vhost.yaml".encode(), 1)
    assert (tmp_path / "out" / APPLIED).read_bytes() == expected


def test_permissions() -> None:
    """The table is for the handler's group alone, policy, source and maps for root, the rest for everyone."""
    assert {(artifact.path, artifact.mode, artifact.group) for artifact in planned("maps").artifacts} == {
        ("etc/selsock/vhost.yaml.ranges", 0o644, ""),
        ("etc/systemd/system/selsock.socket", 0o644, ""),
        ("etc/systemd/system/selsock@.service", 0o644, ""),
        ("etc/systemd/system/system-selsock.slice", 0o644, ""),
        ("var/lib/selsock/applied", 0o600, ""),
        ("var/lib/selsock/file_contexts", 0o644, ""),
        ("var/lib/selsock/maps", 0o600, ""),
        ("var/lib/selsock/ranges", 0o644, ""),
        ("var/lib/selsock/selsock_tenants.cil", 0o600, ""),
        ("var/lib/selsock/table.cdb", 0o640, "selsock"),
    }


if __name__ == "__main__":
    for name in CASES:
        shutil.rmtree(GOLDEN / name / "expected", ignore_errors=True)
        for relative, content in made(name).items():
            file = GOLDEN / name / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
