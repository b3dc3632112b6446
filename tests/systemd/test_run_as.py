# SPDX-License-Identifier: Apache-2.0
"""run_as and limits of a virtual host on a real systemd, HAProxy before it; without SELinux, which tests/vm has."""

import base64
import contextlib
import re
import time
from collections.abc import Iterator

import pytest

from tests.machines.commands import CHECKOUT
from tests.machines.evidence import reporter
from tests.machines.install import Files, install_selsock, stage, write_files
from tests.machines.journal import Entry
from tests.machines.native import NativeMachine
from tests.machines.trees import overlay, run_in, tree
from tests.systemd.conftest import Boot

ACCOUNTS = """
groupadd --gid 2000 pack
useradd --uid 1501 --user-group --groups pack dog
useradd --uid 1502 --user-group cat
"""
VHOST_YAML = """selinux: optional
listen:
  - 80
  - {address: 8081, run_as: true}
  - {address: "192.0.2.1:8080", proxy: protocol, from: 192.0.2.10}
  - {address: "192.0.2.1:8443", proxy: protocol, from: 192.0.2.10, run_as: true}
limits: {connections: 40, connections_per_second: 1000, connections_per_source: 0, memory: 256M}
domains: {public: {python: true, execute: true}}
default_context: public:s0
contexts: [{any: true}]
vhosts:
  dog.example:
    root: /srv/dog
    run_as: dog
    locations: {/: {static: {}}, /cgi: {cgi: {directory: /cgi}}, /app: {wsgi: {application: "who:application", python: [/code]}}}
  cat.example:
    root: /srv/cat
    run_as: authenticated
    auth: {basic: {realm: Cats, file: /etc/selsock/cat.htpasswd}}
    locations: {/cgi: {cgi: {directory: /cgi}}}
  plain.example:
    root: /srv/dog
    locations: {/: {static: {}}, /cgi: {cgi: {directory: /cgi}}}
  held.example:
    root: /srv/dog
    limits: {connections: 3, umask: "0027", rlimits: {nofile: 77, cpu: 9, fsize: 1M, as: 1G, core: 0}}
    locations: {/: {static: {}}, /cgi: {cgi: {directory: /cgi}}, /app: {wsgi: {application: "who:application", python: [/code]}}}
  grouped.example:
    root: /srv/dog
    limits: {memory: 64M, tasks: 4}
"""
# What the process is, as the kernel tells; and one that stays when its parent is gone.
WHO = b"""#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
id -u; id -g; id -G
grep -E '^(Cap|NoNew|Uid|Gid)' /proc/self/status
umask; ulimit -Hn; ulimit -Ht; ulimit -Hf; ulimit -Hv; ulimit -Hc
"""
STAYING = b"""#!/bin/sh
setsid sleep 1000 >/dev/null 2>&1 </dev/null &
printf 'Content-Type: text/plain\\n\\n'
echo started
"""
APPLICATION = b"""import os, resource

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    mask = os.umask(0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CPU)
    return [repr((os.getresuid(), os.getresgid(), sorted(os.getgroups()), oct(mask), limits)).encode()]
"""
SECRET = b"secret:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n".partition(b":")[2]
FILES: Files = {
    "/srv/dog/index.html": (b"dog's\n", 0o644),
    "/srv/dog/private.html": (b"dog's own\n", 0o600),
    "/srv/cat/cgi/who": (WHO, 0o755),
    "/srv/dog/cgi/who": (WHO, 0o755),
    "/srv/dog/cgi/staying": (STAYING, 0o755),
    "/srv/dog/code/who.py": (APPLICATION, 0o644),
    "/etc/selsock/cat.htpasswd": (
        b"".join(name + b":" + SECRET for name in (b"cat", b"ghost", b"daemon", b"root")),
        0o644,
    ),
}


def snippet() -> str:
    """How HAProxy routes, of docs/proxies.md."""
    (found,) = re.findall(
        r"^```haproxy-hosts\n(.*?)^```$", (CHECKOUT / "docs/proxies.md").read_text(), re.MULTILINE | re.DOTALL
    )
    return str(found)


@pytest.fixture(scope="module")
def machine(suite: str, pytestconfig: pytest.Config) -> Iterator[NativeMachine]:
    """One with two customers' accounts."""
    with overlay(tree(suite, reporter(pytestconfig))) as root:
        run_in(root, ["sh", "-euc", ACCOUNTS])
        install_selsock(root)
        stage(root, VHOST_YAML, FILES)
        run_in(root, ["chown", "dog:dog", "/srv/dog/private.html"])
        with NativeMachine(root, f"native-{suite}-run-as") as machine:
            yield machine


@pytest.fixture(scope="module")
def front(machine: NativeMachine, boot: Boot) -> Iterator[NativeMachine]:
    """Another one, with HAProxy."""
    with boot(purpose="proxy") as front:
        front.link(machine, "192.0.2.10", "192.0.2.1")
        write_files(front.root, {"/etc/haproxy/haproxy.cfg": (snippet().encode(), 0o644)})
        front.run(["systemctl", "restart", "haproxy.service"])
        yield front


def get(machine: NativeMachine, host: str, path: str = "/", port: int = 8081, user: str = "") -> tuple[int, str, str]:
    """Status, head and content of an answer."""
    token = base64.b64encode(f"{user}:secret".encode()).decode()
    field = f"Authorization: Basic {token}\r\n" if user else ""
    with machine.connect(port, timeout=30) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}.example\r\n{field}\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, content = answer.partition("\r\n\r\n")
    return int(answer.split(" ")[1]), head, content


def reasons(machine: NativeMachine, after: str, event: str = "refusal") -> list[str]:
    """Why something was refused since."""
    return [entry["SELSOCK_REASON"] for entry in machine.journal(f"SELSOCK_EVENT={event}", after=after)]


# What is left in two sets; docs/adr/0013-run-as.md says why that is harmless.
LEFT, NOTHING = "00000000000000c0", "0000000000000000"


def status_of(lines: list[str]) -> dict[str, str]:
    """Lines of /proc/PID/status."""
    return {name: value for name, _, value in (line.partition(":\t") for line in lines if ":\t" in line)}


@pytest.mark.parametrize(
    ("host", "user", "account"),
    [("dog", "", ["1501", "1501", "1501 2000"]), ("cat", "cat", ["1502", "1502", "1502"])],
)
def test_a_program_runs_as_the_account(machine: NativeMachine, host: str, user: str, account: list[str]) -> None:
    """Uid, gid and groups, real, effective and saved; and there is no capability left to go back with."""
    status, _, content = get(machine, host, "/cgi/who", user=user)
    lines = content.splitlines()
    assert (status, lines[:3]) == (200, account)
    found = status_of(lines)
    assert (found["Uid"], found["Gid"]) == ("\t".join([account[0]] * 4), "\t".join([account[1]] * 4))
    sets = {name: found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    assert sets == {"CapInh": LEFT, "CapPrm": NOTHING, "CapEff": NOTHING, "CapBnd": LEFT, "CapAmb": NOTHING}
    assert found["NoNewPrivs"] == "1"


def test_without_run_as_nothing_is_left_at_all(machine: NativeMachine) -> None:
    """The control: user selsock, and all five sets empty."""
    found = status_of(get(machine, "plain", "/cgi/who", port=80)[2].splitlines())
    assert {found[name] for name in found if name.startswith("Cap")} == {NOTHING}
    (uid,) = set(found["Uid"].split())
    assert uid == machine.run(["id", "-u", "selsock"]).stdout.strip()


def test_an_application_runs_as_the_account(machine: NativeMachine) -> None:
    status, _, content = get(machine, "dog", "/app")
    assert (status, content.startswith("((1501, 1501, 1501), (1501, 1501, 1501), [1501, 2000], '0o77'")) == (200, True)


def test_files_are_read_as_the_account(machine: NativeMachine) -> None:
    """One that is dog's alone; the control, served as selsock, is forbidden."""
    assert get(machine, "dog", "/private.html")[::2] == (200, "dog's own\n")
    assert get(machine, "plain", "/private.html", port=80)[0] == 403


@pytest.mark.parametrize(
    ("user", "status", "reason"),
    [
        ("", 401, "run_as: authenticated, and nobody has signed in"),
        ("ghost", 403, "run_as: authenticated, and nobody here is called ghost"),
        ("daemon", 403, "uid 1, gid 1 is an account of the system's, or in root's group"),
        ("root", 403, "uid 0, gid 0 is an account of the system's, or in root's group"),
    ],
)
def test_who_has_no_account_of_his_own_is_refused(machine: NativeMachine, user: str, status: int, reason: str) -> None:
    """His password was right."""
    after = machine.cursor()
    assert get(machine, "cat", "/cgi/who", user=user)[0] == status
    assert reasons(machine, after) == [reason]


@pytest.mark.parametrize(("host", "port", "kind"), [("dog", 80, "with"), ("plain", 8081, "without")])
def test_other_listeners_answer_421(machine: NativeMachine, host: str, port: int, kind: str) -> None:
    after = machine.cursor()
    assert get(machine, host, port=port)[0] == 421
    assert reasons(machine, after) == [f"{host}.example is served on listeners {kind} run_as alone (RFC 9110 §15.5.20)"]


@pytest.mark.parametrize(("host", "uid"), [("dog", "1501"), ("plain", "")])
def test_haproxy_routes_by_host(machine: NativeMachine, front: NativeMachine, host: str, uid: str) -> None:
    """To the listener of the kind that serves it; the address is the visitor's."""
    after = machine.cursor()
    url = f"http://{host}.example:8000/cgi/who"
    content = front.run(["curl", "--silent", "--fail", "--connect-to", "::192.0.2.10:", url]).stdout
    assert uid in content.splitlines()[0]
    (record,) = machine.journal("SELSOCK_EVENT=decision", after=after)
    assert record["SELSOCK_ADDRESS"] == "192.0.2.10"
    unit = "selsock-run-as@" if uid else "selsock@"
    assert record["_SYSTEMD_UNIT"].startswith(unit)


# ---- limits


def test_umask_and_rlimits_hold_for_a_program(machine: NativeMachine) -> None:
    """Hard limits; a shell counts files in blocks of 512 bytes, and memory in 1024."""
    assert get(machine, "held", "/cgi/who", port=80)[2].splitlines()[-6:] == ["0027", "77", "9", "2048", "1048576", "0"]
    assert get(machine, "plain", "/cgi/who", port=80)[2].splitlines()[-6] == "0077"


def test_umask_and_rlimits_hold_for_an_application(machine: NativeMachine) -> None:
    assert get(machine, "held", "/app", port=80)[2].endswith("'0o27', ((77, 77), (9, 9)))")


def test_limits_that_can_not_be_set_serve_nobody(machine: NativeMachine) -> None:
    """This machine's cgroups have no controllers, since those of the host belong to cgroup v1."""
    after = machine.cursor()
    assert get(machine, "grouped", port=80)[0] == 503
    (reason,) = reasons(machine, after, "fault")
    assert reason.startswith("limits of grouped.example: [Errno ")


@contextlib.contextmanager
def holding(machine: NativeMachine, count: int) -> Iterator[None]:
    """``count`` connections to held.example that are served, and stay."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(machine.connect(80, timeout=30))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: held.example\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        yield


def wait_for(machine: NativeMachine, status: int) -> int:
    """The status of held.example, once it is ``status``, or what it is in the end."""
    found = 0
    for _ in range(100):
        found = get(machine, "held", port=80)[0]
        if found == status:
            break
        time.sleep(0.1)
    return found


def test_one_vhost_uses_up_its_own_connections_alone(machine: NativeMachine) -> None:
    """A flood on one; the other one's requests are all served meanwhile, and afterwards so is the flooded one."""
    assert wait_for(machine, 200) == 200
    with holding(machine, 3):
        after = machine.cursor()
        status, head, _ = get(machine, "held", port=80)
        assert (status, "\r\nRetry-After: 5" in head) == (503, True)
        flood = [get(machine, host, port=80)[0] for _ in range(20) for host in ("held", "plain")]
        assert flood == [503, 200] * 20
        assert set(reasons(machine, after)) == {"all 3 connections of held.example are taken"}
    assert wait_for(machine, 200) == 200


def test_a_slot_is_free_when_its_process_is_killed(machine: NativeMachine) -> None:
    assert wait_for(machine, 200) == 200
    with holding(machine, 3):
        assert get(machine, "held", port=80)[0] == 503
        machine.run(["systemctl", "kill", "--signal=KILL", "--kill-whom=main", "selsock@*.service"], check=False)
        assert wait_for(machine, 200) == 200


def test_a_child_that_stays_holds_no_slot(machine: NativeMachine) -> None:
    """Twice as many visits as there may be, each of which leaves a program running until its unit is ended.

    One that outlives its parent is in tests/unit/test_share.py.
    """
    assert wait_for(machine, 200) == 200
    for _ in range(6):
        assert wait_for(machine, 200) == 200
        assert get(machine, "held", "/cgi/staying", port=80)[2] == "started\n"


def test_no_other_unit_has_a_capability(machine: NativeMachine) -> None:
    """As systemd understands the files."""
    shown = {}
    for unit in ("selsock@x.service", "selsock-run-as@x.service", "selsock-identify.service", "selsock-sql.service"):
        command = ["systemctl", "show", "--property=AmbientCapabilities,CapabilityBoundingSet", "--value", unit]
        shown[unit] = [set(line.split()) for line in machine.run(command).stdout.splitlines() if line]
    both = {"cap_setuid", "cap_setgid"}
    assert shown.pop("selsock-run-as@x.service") == [both, both]
    assert shown == {unit: [] for unit in shown}


def seen(entries: list[Entry]) -> set[str]:
    """The units that wrote ``entries``."""
    return {entry["_SYSTEMD_UNIT"].partition("@")[0] for entry in entries}


def test_outcome_is_recorded_as_the_account(machine: NativeMachine) -> None:
    """journald has the uid from the kernel."""
    after = machine.cursor()
    get(machine, "dog")
    decision, outcome = (machine.journal(f"SELSOCK_EVENT={event}", after=after) for event in ("decision", "outcome"))
    assert seen(decision + outcome) == {"selsock-run-as"}
    selsock = machine.run(["id", "-u", "selsock"]).stdout.strip()
    assert [entry["_UID"] for entry in decision + outcome] == [selsock, "1501"]
