# SPDX-License-Identifier: Apache-2.0
"""The policy of the golden configuration with every key, on Debian's."""

from pathlib import Path

import pytest

from tests.machines.evidence import reporter
from tests.machines.packages import install, packages
from tests.machines.trees import overlay, run_in, tree

GOLDEN = Path(__file__).parents[1] / "golden"


def test_the_policy_links_and_says_what_was_planned(pytestconfig: pytest.Config) -> None:
    """On the distribution's policy, neverallow rules checked; the types of ``full``'s administrator come from a stub."""
    golden = GOLDEN / "full" / "expected" / "var/lib/selsock"
    planned = dict(
        line.rsplit("\t", 1) for line in (golden / "file_contexts").read_text().splitlines() if line[0] == "/"
    )
    report = reporter(pytestconfig)
    with overlay(tree("trixie", report)) as machine:
        work = machine / "var/tmp"
        (work / "stub.cil").write_text("(type legacy_content_t)\n(roletype object_r legacy_content_t)\n")
        (work / "selsock_tenants.cil").write_bytes((golden / "selsock_tenants.cil").read_bytes())
        configuration = machine / "etc/selinux/semanage.conf"
        configuration.write_text(configuration.read_text().replace("expand-check=0", "expand-check=1"))
        install(machine, packages(report).paths())
        modules = ["/var/tmp/stub.cil", "/var/tmp/selsock_tenants.cil"]
        run_in(machine, ["semodule", "-n", "-X", "400", *(word for module in modules for word in ("-i", module))])
        paths = {pattern: pattern.split("(")[0].split("\t")[0].replace("\\", "") for pattern in planned}
        said = run_in(machine, ["matchpathcon", "-n", *paths.values()]).stdout.splitlines()
    assert said == list(planned.values())
