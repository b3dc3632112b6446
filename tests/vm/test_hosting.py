# SPDX-License-Identifier: Apache-2.0
"""docs/hosting.md, line by line, on a machine that has the packages and no configuration; and what is left at the end.

A command stands behind "# ", for root, or "$ ", for the customers' own machine; lines below it are what it prints, with
"…" for what differs from machine to machine.  Several lines of input end with "> ".
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines import image
from tests.machines.vm import VirtualMachine
from tests.vm.conftest import BootVm
from tests.vm.expected_avcs import is_expected

TUTORIAL = Path(__file__).parents[2] / "docs/hosting.md"
HOSTS = b"127.0.0.1 localhost dog.example cat.example shop.example owl.example server\n"
# An image needs a module to load.
NOTHING = "(type tests_nothing_t)(roletype object_r tests_nothing_t)"
# The customers' own machine is another account of this one; its key is the one that every test machine has.
SCRIPT = """
useradd --create-home --shell /bin/bash visitor
install -D --owner visitor --mode 600 /root/.ssh/authorized_keys /root/visitor.pub
install -d --owner visitor --mode 700 /home/visitor/.ssh
printf 'StrictHostKeyChecking accept-new\\nLogLevel ERROR\\nBatchMode yes\\n' >/home/visitor/.ssh/config
chown visitor /home/visitor/.ssh/config
echo no-progress-meter >/home/visitor/.curlrc
"""


class Command:
    """A command of the tutorial, the line that it stands on, and what it is to print."""

    def __init__(self, line: int, prompt: str, text: str) -> None:
        self.line = line
        self.prompt = prompt
        self.text = text
        self.expected: list[str] = []

    def pattern(self) -> str:
        """A regular expression for what it prints."""
        return "".join(re.escape(line).replace("…", ".*") + "\n" for line in self.expected)


def commands() -> list[Command]:
    """All commands of the tutorial, in order."""
    found: list[Command] = []
    inside = False
    for number, line in enumerate(TUTORIAL.read_text().splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif not inside:
            continue
        elif line.startswith(("# ", "$ ")):
            found.append(Command(number, line[0], line[2:]))
        elif line.startswith("> ") or line == ">":
            found[-1].text += "\n" + line[2:]
        else:
            found[-1].expected.append(line)
    return found


@pytest.fixture(scope="module")
def machine(boot_vm: BootVm) -> Iterator[VirtualMachine]:
    """The machine, with the customers' key at hand."""
    recipe = image.Recipe(
        "", {"/etc/hosts": (HOSTS, 0o644)}, {"tests_nothing": NOTHING}, dontaudit=True, slim=True, script=SCRIPT
    )
    with boot_vm(recipe, "hosting") as found:
        found.put("/home/visitor/.ssh/id_ed25519", (found.image.directory / "key").read_bytes())
        found.ssh("chown visitor /home/visitor/.ssh/id_ed25519; chmod 600 /home/visitor/.ssh/id_ed25519")
        yield found


def test_the_tutorial(machine: VirtualMachine) -> None:
    before = state(machine)
    mark = machine.mark()
    for command in commands():
        become = ["runuser", "-u", "visitor", "--"] if command.prompt == "$" else []
        done = machine.ssh([*become, "sh", "-c", f"cd; exec 2>&1 </dev/null; {command.text}"], check=False, timeout=300)
        assert re.fullmatch(command.pattern(), done.stdout), (command.line, command.text, done.stdout)
    denied = [record for record in machine.avcs(mark, "selsock_") if not is_expected(record)]
    crossings = {(record["scontext"].split(":", 2)[2], record["tcontext"].split(":", 3)[3]) for record in denied}
    assert crossings >= {("selsock_web_t:s0:c0,c1", "s0:c0,c2"), ("selsock_web_login_t:s0:c0,c1", "s0:c0,c2")}
    assert state(machine) == before


def state(machine: VirtualMachine) -> dict[str, str]:
    """What an operator would look at to see whether anything is left."""
    questions = {
        "policy modules": "semodule -lfull | grep -v '^100 '",
        "logins": "cat /etc/selinux/default/seusers; ls /etc/selinux/default/contexts/users",
        "types in use": "find / -xdev -context '*:selsock_*' -printf '%Z %p\\n' | sort",
        "units": "systemctl list-unit-files --no-legend 'selsock*' 'system-selsock*'",
        "accounts": "cat /etc/passwd /etc/group",
        "files": "find /etc /var/lib/selsock /var/cache/selsock /usr /srv /run/selsock -xdev -type f -printf '%p %u %g %m\\n' | sort",
    }
    return {name: machine.ssh(question, check=False).stdout for name, question in questions.items()}
