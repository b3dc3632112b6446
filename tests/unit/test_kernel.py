# SPDX-License-Identifier: Apache-2.0
"""kernel: what libselinux answers becomes a mode, a yes or no, or an OSError; anything but "enforcing" serves nobody.

The edge to the kernel itself is what the virtual machine is for (`make vm`); here libselinux's C half is replaced.
"""

from pathlib import Path

import pytest

from selsock import cores
from selsock.errors import PolicyFault
from selsock.handler import kernel as module
from selsock.handler.kernel import Kernel, check
from tests.unit.fakes import FakeKernel


class Core:
    """libselinux's C half, answering as told."""

    __file__ = "fake"

    def __init__(self, enabled: int = 1, enforcing: int = 1, valid: bool = True, flags: int = 0) -> None:
        self.enabled, self.enforcing, self.valid, self.flags = enabled, enforcing, valid, flags
        self.calls: list[tuple[object, ...]] = []

    def is_selinux_enabled(self) -> int:
        """As is_selinux_enabled(3): 1, 0, or -1 on error."""
        return self.enabled

    def security_getenforce(self) -> int:
        """As security_getenforce(3)."""
        return self.enforcing

    def security_check_context_raw(self, context: str) -> int:
        """As security_check_context_raw(3) through the binding, which raises for -1."""
        self.calls.append(("check", context))
        if not self.valid:
            raise OSError(22, "Invalid argument")
        return 0

    def new_av_decision(self) -> "Core":
        """An av_decision to be filled; this very object."""
        return self

    def string_to_security_class(self, name: str) -> int:
        """As string_to_security_class(3)."""
        return {"process": 2}[name]

    def security_compute_av_flags_raw(self, source: str, target: str, kind: int, wanted: int, vector: object) -> int:
        """As security_compute_av_flags_raw(3)."""
        self.calls.append(("compute", source, target, kind, wanted, vector is self))
        return 0

    def av_decision_flags_get(self, vector: object) -> int:
        """The field ``flags`` of an av_decision."""
        return self.flags

    def setcon_raw(self, context: str) -> int:
        """As setcon_raw(3) where it is refused."""
        raise PermissionError(13, "Permission denied")


def kernel(monkeypatch: pytest.MonkeyPatch, core: Core) -> Kernel:
    """A Kernel over ``core``."""
    monkeypatch.setattr(module, "selinux_core", lambda: core)
    return Kernel()


@pytest.mark.parametrize(
    ("enabled", "enforcing", "mode"),
    [
        (1, 1, "enforcing"),
        (1, 0, "permissive"),
        (1, -1, "permissive"),
        (1, 2, "permissive"),
        (0, 1, "disabled"),
        (-1, 1, "disabled"),
    ],
)
def test_mode(monkeypatch: pytest.MonkeyPatch, enabled: int, enforcing: int, mode: str) -> None:
    """Only 1 and 1 is enforcing."""
    assert mode == kernel(monkeypatch, Core(enabled, enforcing)).mode()


def test_mode_without_a_binding_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: the reason is what the administrator has to read."""

    def missing() -> None:
        raise ImportError("No module named '_selinux'")

    monkeypatch.setattr(module, "selinux_core", missing)
    assert "out of reach (No module named '_selinux')" == Kernel().mode()
    with pytest.raises(PolicyFault, match="SELinux is out of reach"):
        check(Kernel(), "g1", True)


def test_context_is_known_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The binding raises for a context that the policy does not have."""
    assert kernel(monkeypatch, Core(valid=True)).knows("a:b:c_t:s0")
    assert not kernel(monkeypatch, Core(valid=False)).knows("a:b:c_t:s0")


@pytest.mark.parametrize(("flags", "permissive"), [(0, False), (1, True), (2, False), (3, True)])
def test_permissive_is_bit_one_of_the_flags(monkeypatch: pytest.MonkeyPatch, flags: int, permissive: bool) -> None:
    """SELINUX_AVD_FLAGS_PERMISSIVE, of a vector for the domain on itself."""
    core = Core(flags=flags)
    assert permissive == kernel(monkeypatch, core).is_permissive("a:b:c_t:s0")
    assert [("compute", "a:b:c_t:s0", "a:b:c_t:s0", 2, 0, True)] == core.calls


def test_refused_setcon_is_an_oserror(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the binding raises it."""
    with pytest.raises(PermissionError):
        kernel(monkeypatch, Core()).setcon("a:b:c_t:s0")


def test_context_is_read_from_the_kernel_and_not_from_libselinux(monkeypatch: pytest.MonkeyPatch) -> None:
    """libselinux would repeat what it was last told to set; this core has no getcon at all."""
    opened: list[str] = []

    def open_and_note(path: str, flags: int) -> int:
        opened.append(path)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(cores.posix, "open", open_and_note)
    with pytest.raises(FileNotFoundError):
        kernel(monkeypatch, Core()).getcon()
    assert ["/proc/thread-self/attr/current"] == opened


# ---- the status page


def watched(monkeypatch: pytest.MonkeyPatch, page: Path) -> Kernel:
    """A Kernel that watches ``page``."""
    monkeypatch.setattr(module, "STATUS", str(page))
    found = kernel(monkeypatch, Core())
    found.watch()
    return found


def test_any_change_of_the_status_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequence, mode or number of loads, each of 32 bits; what lies behind them is no part of it."""
    page = tmp_path / "status"
    page.write_bytes(bytes(4096))
    found = watched(monkeypatch, page)
    assert found.unchanged()
    for place in range(module.STATUS_BYTES):
        page.write_bytes(bytes(place) + b"\1" + bytes(4095 - place))
        assert not found.unchanged(), place
    page.write_bytes(bytes(4095) + b"\1")
    assert found.unchanged()


def test_status_page_that_can_no_longer_be_read_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the new policy, the tenant may not."""
    page = tmp_path / "status"
    page.write_bytes(bytes(4096))
    found = watched(monkeypatch, page)
    cores.posix.close(found.status_file)
    assert not found.unchanged()


def test_watching_again_is_over_the_same_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it sees counts from then on; below the line there must be one descriptor of SELinux, not one for each."""
    page = tmp_path / "status"
    page.write_bytes(bytes(4096))
    found = watched(monkeypatch, page)
    descriptor = found.status_file
    page.write_bytes(b"\1" + bytes(4095))
    assert not found.unchanged()
    monkeypatch.setattr(module, "STATUS", "/nowhere")
    found.watch()
    assert (True, descriptor) == (found.unchanged(), found.status_file)
    page.write_bytes(bytes(4096))
    assert not found.unchanged()


def test_nothing_that_is_not_watched_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """selinux: optional, where SELinux is disabled: there is no page at all."""
    assert kernel(monkeypatch, Core()).unchanged()


def test_status_page_that_is_missing_serves_nobody() -> None:
    """As any answer that the kernel does not give."""

    class Blind(FakeKernel):
        """A kernel without its status page."""

        def watch(self) -> None:
            """As where /sys/fs/selinux/status can not be opened."""
            raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(PolicyFault, match="SELinux does not tell its mode: No such file or directory"):
        check(Blind(), "g1", True)


def test_mode_is_asked_again_once_it_is_watched() -> None:
    """What changed between the first question and the watch would go unseen."""

    class Switching(FakeKernel):
        """A kernel that is set permissive just before it is watched."""

        def watch(self) -> None:
            """Too late."""
            self.given_mode = "permissive"

    with pytest.raises(PolicyFault, match="SELinux is permissive"):
        check(Switching(), "g1", True)


# ---- check

ASKED = [("mode",), ("watch",), ("mode",)]


def test_enforcing_with_the_policy_of_the_table_is_confined() -> None:
    """The generation is a type of the loaded policy."""
    kernel = FakeKernel(generation="abc")
    assert check(kernel, "abc", True)
    assert [*ASKED, ("getcon",), ("knows", "system_u:object_r:selsock_generation_abc:s0")] == kernel.calls


@pytest.mark.parametrize("context", ["system_u:system_r:selsock_t:s0", "web_u:web_r:selsock_t:s0-s0:c0.c1023"])
def test_own_domain_is_told_by_the_type_alone(context: str) -> None:
    """An administrator may run the unit under another user, role or level."""
    kernel = FakeKernel()
    kernel.context = context
    assert check(kernel, "g1", True)


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(
    "context",
    [
        "system_u:system_r:init_t:s0",
        "system_u:system_r:initrc_t:s0",
        "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023",
        "system_u:system_r:selsock_public_t:s0",
        "system_u:system_r:selsock_tt:s0",
        "system_u:selsock_t:init_t:s0",
        "system_u:system_r:init_t:selsock_t",
        "selsock_t",
        "kernel",
        "",
    ],
)
def test_process_outside_its_own_domain_serves_nobody(context: str, required: bool) -> None:
    """A program without its label stays in init's domain, where nothing of the policy holds; it says what to do."""
    kernel = FakeKernel()
    kernel.context = context
    with pytest.raises(PolicyFault) as caught:
        check(kernel, "g1", required)
    wanted = f"running as {context}, not selsock_t: restorecon the program, and restart the socket"
    assert (wanted, 503) == (caught.value.reason, caught.value.status)
    assert [*ASKED, ("getcon",)] == kernel.calls


@pytest.mark.parametrize("required", [True, False])
def test_context_that_can_not_be_read_serves_nobody(required: bool) -> None:
    """Where we are is known, or nothing is served."""

    class Mute(FakeKernel):
        """A kernel that does not tell where we are."""

        def getcon(self) -> str:
            """As where /proc/thread-self/attr/current can not be read."""
            raise PermissionError(13, "Permission denied")

    with pytest.raises(PolicyFault, match="the kernel does not tell our context: Permission denied"):
        check(Mute(), "g1", required)


@pytest.mark.parametrize("required", [True, False])
def test_policy_of_another_generation_serves_nobody(required: bool) -> None:
    """Also where SELinux is optional: what enforces must be what the table was made for."""
    with pytest.raises(PolicyFault, match="not of the table's generation g2: run selsock-generate"):
        check(FakeKernel(generation="g1"), "g2", required)


@pytest.mark.parametrize("mode", ["permissive", "disabled", "out of reach (no binding)", "", "Enforcing"])
def test_anything_but_enforcing_serves_nobody_by_default(mode: str) -> None:
    """The reason names the mode."""
    with pytest.raises(PolicyFault) as caught:
        check(FakeKernel(mode=mode), "g1", True)
    assert (f"SELinux is {mode}, and vhost.yaml requires it", 503) == (caught.value.reason, caught.value.status)


@pytest.mark.parametrize("mode", ["permissive", "disabled"])
def test_optional_serves_unconfined(mode: str) -> None:
    """False is what makes handle() say so in the journal."""
    kernel = FakeKernel(mode=mode)
    kernel.context = "system_u:system_r:initrc_t:s0"
    assert not check(kernel, "g1", False)
    assert [("mode",)] == kernel.calls


@pytest.mark.parametrize("required", [True, False])
def test_mode_that_can_not_be_read_serves_nobody(required: bool) -> None:
    """selinuxfs not mounted, or its reading denied: that is no "disabled", and no defect either."""

    class Mute(FakeKernel):
        """A kernel that does not answer."""

        def mode(self) -> str:
            """As where /sys/fs/selinux/enforce can not be read."""
            raise PermissionError(13, "Permission denied")

    with pytest.raises(PolicyFault, match="SELinux does not tell its mode: Permission denied"):
        check(Mute(), "g1", required)
