# SPDX-License-Identifier: Apache-2.0
"""confine: what it does, in which order, and that nothing comes of it where any step is not exactly as it has to be."""

import os
import posix
from pathlib import Path

import pytest

from selsock.context import Context
from selsock.errors import ConfineFault, PolicyFault
from selsock.handler import confine as module
from selsock.handler.confine import REQUIRED_STATUS, Confined, confine
from selsock.handler.head import HeadBuffer
from selsock.handler.journal import Journal
from selsock.handler.table import OpenTable
from selsock.model import Location, Vhost
from selsock.names import AbsolutePath, HostName
from tests.unit.fakes import GENERATION, SELSOCK, FakeJournal, FakeKernel, compile_table

DOG = Context.parse("selsock_dog_t:s0:c1,c2")
TARGET = "system_u:system_r:selsock_dog_t:s0:c1,c2"
NAMES = (HostName.parse("dog.example"),)
VHOST = Vhost(NAMES, AbsolutePath.parse("/srv/dog"), None, (Location((), (), DOG),))
STATUS = """Name:\tserve
Umask:\t0027
Threads:\t1
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
"""
ABOVE = ["close table", "close journal", "dup2 1 2"]
APPROVED = ["getcon", "is_permissive", "unchanged"]
CHECKED = ["watch", "getcon", "knows"]
# The page may lag behind the policy, so the kernel is asked for the generation last.
ENTERED = ["knows", "setcon", "getcon", "unchanged"]
GOOD_ORDER = [*ABOVE, *APPROVED, *ENTERED, "status"]
CHANGED = "SELinux's mode or policy has changed since the connection began"


class Reloaded(FakeKernel):
    """A kernel whose mode or policy changes, after the first call of each of ``moments``, to what ``then`` says.

    The moment "" is any time before the first call of all.
    """

    def __init__(self, moments: list[str], **then: object) -> None:
        super().__init__()
        self.moments, self.then = moments, then
        self.current = True
        self.turn("")

    def turn(self, moment: str) -> None:
        """Change, if it is time."""
        if self.moments[:1] == [moment]:
            del self.moments[0]
            self.current = False
            vars(self).update(self.then)

    def watch(self) -> str:
        """What is there now is what counts from here on."""
        self.current = True
        return super().watch()

    def unchanged(self) -> bool:
        """Whether nothing has changed since the last ``watch``."""
        self.calls.append(("unchanged",))
        return self.current

    def knows(self, context: str) -> bool:
        """The last question of ``check``."""
        known = super().knows(context)
        self.turn("knows")
        return known

    def is_permissive(self, context: str) -> bool:
        """As given; a context that the policy does not have is EINVAL."""
        permissive = super().is_permissive(context)
        valid = self.generation == GENERATION
        self.turn("is_permissive")
        if not valid:
            raise OSError(22, "Invalid argument")
        return permissive

    def setcon(self, context: str) -> None:
        """Enter ``context``."""
        super().setcon(context)
        self.turn("setcon")


class Scene:
    """A table and a journal that are open, a /proc/self/status of the test's, and all that confine does, in order."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.folder = tmp_path
        self.status = tmp_path / "status"
        self.status.write_text(STATUS)
        self.table = OpenTable(str(compile_table(tmp_path, [VHOST])))
        self.journal = Journal("/nowhere")
        self.note(monkeypatch, OpenTable, "close", "close table")
        self.note(monkeypatch, Journal, "close", "close journal")
        monkeypatch.setattr(module, "posix", self)

    def note(self, monkeypatch: pytest.MonkeyPatch, kind: type, name: str, words: str) -> None:
        """Let ``kind.name`` do what it does, and be noted."""
        original = getattr(kind, name)

        def noted(self_: object) -> None:
            self.done.append(words)
            original(self_)

        monkeypatch.setattr(kind, name, noted)

    def __getattr__(self, name: str) -> object:
        """The rest of ``posix``, as confine sees it."""
        return getattr(posix, name)

    def open(self, path: str, flags: int) -> int:
        """The test's own status file, in place of that of the test's process."""
        assert "/proc/self/status" == path
        self.done.append("status")
        return posix.open(self.status, flags)

    def dup2(self, old: int, new: int) -> None:
        """Not done: it would take pytest's stderr away."""
        self.done.append(f"dup2 {old} {new}")

    def confine(self, kernel: FakeKernel, enforce: bool = True) -> Confined:
        """confine, with what the kernel is asked noted among the rest."""

        class Calls(list[tuple[str, ...]]):
            """The calls of the kernel, which also go to the scene's."""

            def append(calls, call: tuple[str, ...]) -> None:
                """Note the call's name."""
                super().append(call)
                self.done.append(call[0])

        kernel.calls = Calls()
        return confine(DOG, VHOST, HeadBuffer(16), self.table, self.journal, kernel, enforce)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """One for each test."""
    return Scene(tmp_path, monkeypatch)


def test_order_of_steps(scene: Scene) -> None:
    """Close what is above the line, ask about the target, enter, ask where we are, look at ourselves."""
    scene.confine(FakeKernel())
    assert GOOD_ORDER == scene.done


def test_context_entered_has_our_user_and_role_and_the_rules_type_and_level(scene: Scene) -> None:
    """What the kernel is asked about, told and reports is one and the same."""
    kernel = FakeKernel()
    confined = scene.confine(kernel)
    assert [
        ("getcon",),
        ("is_permissive", TARGET),
        ("unchanged",),
        ("knows", f"system_u:object_r:selsock_generation_{GENERATION}:s0"),
        ("setcon", TARGET),
        ("getcon",),
        ("unchanged",),
    ] == [*kernel.calls]
    assert (TARGET, VHOST) == (confined.context, confined.vhost)


def test_policy_that_the_status_page_does_not_tell_of_yet(scene: Scene) -> None:
    """The kernel puts a policy in force a moment before its page says so; its generation is another at once."""
    kernel = FakeKernel()
    kernel.generation = "g2"
    with pytest.raises(PolicyFault, match=r"not of the table's generation") as caught:
        scene.confine(kernel)
    assert 503 == caught.value.status
    assert [*ABOVE, *APPROVED, "knows", *CHECKED] == scene.done


def test_user_and_role_are_those_of_the_process(scene: Scene) -> None:
    """Not a constant: an administrator may run the unit under another user."""
    kernel = FakeKernel()
    kernel.context = "web_u:web_r:selsock_t:s0"
    assert "web_u:web_r:selsock_dog_t:s0:c1,c2" == scene.confine(kernel).context


@pytest.mark.parametrize(
    "reports",
    [
        SELSOCK,
        "system_u:system_r:selsock_dog_t:s0",
        "system_u:system_r:selsock_dog_t:s0:c1",
        "system_u:system_r:selsock_dog_t:s0:c1,c2,c3",
        "system_u:system_r:selsock_dog_t:s0:c1.c2",
        "system_u:system_r:selsock_dog_t:s0-s0:c1,c2",
        "system_u:system_r:selsock_cat_t:s0:c1,c2",
        "system_u:sysadm_r:selsock_dog_t:s0:c1,c2",
        "staff_u:system_r:selsock_dog_t:s0:c1,c2",
        TARGET + " ",
        TARGET.upper(),
    ],
)
def test_kernel_that_reports_another_context_is_a_fault(scene: Scene, reports: str) -> None:
    """setcon said yes, and we are elsewhere: nothing is served from there."""
    with pytest.raises(ConfineFault) as caught:
        scene.confine(FakeKernel(reports=reports))
    assert f"asked for {TARGET}, but the kernel reports {reports}" == caught.value.reason
    assert (500, 22) == (caught.value.status, caught.value.exit_status)


def test_refused_setcon_is_a_fault(scene: Scene) -> None:
    """With the kernel's own word for it."""
    with pytest.raises(ConfineFault) as caught:
        scene.confine(FakeKernel(refuses=PermissionError(13, "Permission denied")))
    assert f"entering {DOG}: [Errno 13] Permission denied" == caught.value.reason
    assert "status" not in scene.done


def test_permissive_domain_is_not_entered(scene: Scene) -> None:
    """503, and setcon is never called: it would succeed, and confine nothing."""
    with pytest.raises(PolicyFault) as caught:
        scene.confine(FakeKernel(permissive=True))
    assert f"the domain of {TARGET} is permissive: it would confine nothing" == caught.value.reason
    assert "setcon" not in scene.done


@pytest.mark.parametrize(
    ("moments", "rounds"),
    [([""], 1), (["is_permissive"], 1), (["", "knows"], 2), (["", "is_permissive"], 1), (["is_permissive"] * 2, 2)],
)
def test_policy_that_is_as_good_costs_no_request(scene: Scene, moments: list[str], rounds: int) -> None:
    """Loaded while the head was read, or while the target was asked about: everything is asked again, and it is served."""
    kernel = Reloaded(moments)
    assert TARGET == scene.confine(kernel).context
    again = [*APPROVED, *CHECKED] * rounds
    assert ([*ABOVE, *again, *APPROVED, *ENTERED, "status"], []) == (scene.done, kernel.moments)


PERMISSIVE = f"the domain of {TARGET} is permissive: it would confine nothing"
UNCONFINED = "unconfined_u:unconfined_r:unconfined_t:s0"
WORSE = [
    ({"mode": "permissive"}, "SELinux is permissive, and vhost.yaml requires it"),
    ({"mode": "disabled"}, "SELinux is disabled, and vhost.yaml requires it"),
    ({"generation": "g2"}, "the loaded policy is not of the table's generation g1: run selsock-generate"),
    (
        {"context": UNCONFINED},
        f"running as {UNCONFINED}, not selsock_t: restorecon it, and restart the socket",
    ),
    ({"permissive": True}, PERMISSIVE),
]


@pytest.mark.parametrize("moment", ["", "is_permissive"])
@pytest.mark.parametrize(("then", "reason"), WORSE)
def test_change_for_the_worse_is_refused_for_its_own_reason(
    scene: Scene, moment: str, then: dict[str, object], reason: str
) -> None:
    """Not for that of the policy before, not for that of a call that failed by the change; and nothing is entered."""
    with pytest.raises(PolicyFault) as caught:
        scene.confine(Reloaded([moment], **then))
    assert (reason, 503, 21) == (caught.value.reason, caught.value.status, caught.value.exit_status)
    assert "setcon" not in scene.done


def test_change_for_the_better_is_served(scene: Scene) -> None:
    """The target was permissive in the policy before: what it was asked about counts no longer."""
    kernel = Reloaded(["is_permissive"], permissive=False)
    kernel.permissive = True
    assert TARGET == scene.confine(kernel).context


@pytest.mark.parametrize("moments", [["is_permissive"] * 9, ["knows"] * 9])
def test_policy_that_changes_all_the_time_is_refused(scene: Scene, moments: list[str]) -> None:
    """After three rounds; with a reason of its own, since none of the answers counts."""
    kernel = Reloaded(moments)
    kernel.current = False
    with pytest.raises(PolicyFault) as caught:
        scene.confine(kernel)
    assert (CHANGED, 503) == (caught.value.reason, caught.value.status)
    assert [*ABOVE, *[*APPROVED, *CHECKED] * 3] == scene.done


@pytest.mark.parametrize("then", [{}, {"mode": "permissive"}, {"generation": "g2"}])
def test_change_while_the_context_is_entered_is_a_fault(scene: Scene, then: dict[str, object]) -> None:
    """Asked last, so that nothing can change behind it; down there it can not be found out what it is worth."""
    with pytest.raises(PolicyFault) as caught:
        scene.confine(Reloaded(["setcon"], **then))
    assert (CHANGED, 503) == (caught.value.reason, caught.value.status)
    assert [*ABOVE, *APPROVED, *ENTERED] == scene.done


def test_optional_does_not_turn_into_unconfined_on_the_way(scene: Scene) -> None:
    """What began under enforcement is served under enforcement, or not at all: the journal did not say otherwise."""
    scene.table = OpenTable(str(compile_table(scene.folder, [VHOST], required=False)))
    with pytest.raises(PolicyFault) as caught:
        scene.confine(Reloaded([""], mode="permissive"))
    assert CHANGED == caught.value.reason
    assert [*ABOVE, *APPROVED, "watch"] == scene.done


def test_optional_without_enforcement_stays_what_it_is(scene: Scene) -> None:
    """Also where the kernel has come to enforce meanwhile: it is not asked."""
    confined = scene.confine(Reloaded([""], mode="enforcing"), enforce=False)
    assert "unconfined (selinux: optional)" == confined.context
    assert [*ABOVE, "status"] == scene.done


@pytest.mark.parametrize("context", ["", "kernel"])
def test_own_context_that_is_none_is_a_fault(scene: Scene, context: str) -> None:
    """/proc/self/attr/current of a kernel without SELinux, or of another module."""
    kernel = FakeKernel()
    kernel.context = context
    with pytest.raises(ConfineFault):
        scene.confine(kernel)


def test_without_enforcement_the_kernel_is_not_asked(scene: Scene) -> None:
    """selinux: optional; the rest is done and checked all the same, and the context says what it is."""
    confined = scene.confine(FakeKernel(mode="disabled"), enforce=False)
    assert "unconfined (selinux: optional)" == confined.context
    assert ["close table", "close journal", "dup2 1 2", "status"] == scene.done


WRONG = {
    "Threads": ["2", "0", ""],
    "NoNewPrivs": ["0", "", "1 "],
    **{name: ["0000000000000400", "000001ffffffffff", "0", ""] for name in REQUIRED_STATUS if name.startswith("Cap")},
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
@pytest.mark.parametrize("enforce", [True, False])
def test_each_wrong_line_of_status_is_a_fault(scene: Scene, name: str, value: str, enforce: bool) -> None:
    """Also under selinux: optional."""
    right = REQUIRED_STATUS[name]
    scene.status.write_text(STATUS.replace(f"{name}:\t{right}\n", f"{name}:\t{value}\n"))
    with pytest.raises(ConfineFault) as caught:
        scene.confine(FakeKernel(), enforce)
    assert f"{name} is {value}, not {right}: was this started by selsock@.service?" == caught.value.reason


@pytest.mark.parametrize("name", REQUIRED_STATUS)
def test_each_missing_line_of_status_is_a_fault(scene: Scene, name: str) -> None:
    """A kernel that does not tell (NoNewPrivs is there since 4.10) is not believed."""
    scene.status.write_text("".join(line for line in STATUS.splitlines(True) if not line.startswith(name)))
    with pytest.raises(ConfineFault, match=f"{name} is None"):
        scene.confine(FakeKernel())


def test_missing_status_is_a_fault(scene: Scene) -> None:
    """/proc is not mounted, or ProtectProc= hides it."""
    scene.status.unlink()
    with pytest.raises(ConfineFault, match="/proc/self/status: No such file or directory"):
        scene.confine(FakeKernel())


def test_status_of_this_kernel_has_every_line_that_is_required() -> None:
    """The names are the kernel's own; the test's process itself, root or not, is refused: it may still gain privileges."""
    text = Path("/proc/self/status").read_text()
    for name in REQUIRED_STATUS:
        assert f"\n{name}:\t" in text
    with pytest.raises(ConfineFault, match="was this started by selsock@.service"):
        module.check_status(REQUIRED_STATUS)


def test_what_belongs_above_the_line_is_closed(tmp_path: Path, scene: Scene) -> None:
    """The table's descriptor and the journal's socket; the next record opens a socket of its own."""
    with FakeJournal(tmp_path) as fake:
        scene.journal = fake.journal()
        scene.journal.record(5, "above", event="decision")
        assert scene.journal.socket is not None
        above = (scene.table.reader.file, scene.journal.socket.fileno())
        scene.confine(FakeKernel())
        for descriptor in above:
            with pytest.raises(OSError):
                os.fstat(descriptor)
        scene.journal.record(5, "below", event="outcome")
        assert ["decision", "outcome"] == fake.events()
        Journal.close(scene.journal)


def test_stderr_no_longer_leads_to_the_journal() -> None:
    """The stream of the unit's stderr was opened by systemd, and speaks for selsock_t; a child shows it with real fds."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, module.STDERR)
        os.dup2(os.open("/dev/null", os.O_WRONLY), module.STDOUT)
        try:
            confine(DOG, VHOST, HeadBuffer(16), *closed(), FakeKernel(), False)
        except ConfineFault:
            os.write(2, b"forged")
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    assert b"" == os.read(read, 100)
    os.close(read)


def closed() -> tuple[OpenTable, Journal]:
    """A table and a journal that have nothing to close."""
    table = OpenTable.__new__(OpenTable)
    reader = type("Reader", (), {"close": lambda self: None})()
    object.__setattr__(table, "reader", reader)
    return table, Journal("/nowhere")
