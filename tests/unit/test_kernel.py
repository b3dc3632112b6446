# SPDX-License-Identifier: Apache-2.0
"""kernel: what the kernel's files say becomes a mode, a yes or no, or an error; anything but "enforcing" serves nobody.

The kernel itself is what the virtual machine is for (`make vm`), where libselinux has to agree; here its files are files
of the test's.  One that is written to and then read answers with what stands in it behind the message.
"""

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from selsock import cores
from selsock.errors import PolicyFault
from selsock.handler import kernel as module
from selsock.handler.kernel import OWN_TYPES, Kernel, check
from tests.unit.fakes import FakeKernel

NAMES = ("CURRENT", "ACCESS", "CONTEXT", "PROCESS", "STATUS")
PATHS = [getattr(module, name) for name in NAMES]
CONTEXT = "a:b:c_t:s0"
MESSAGE = b"a:b:c_t:s0\0"
QUESTION = b"a:b:c_t:s0 a:b:c_t:s0 2 0"
VECTOR = b"ffffffff ffffffff 0 fffffffa 17 "


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of the kernel's files, each by the name of its constant; a test makes what is to be there.

    Whatever is asked and however it ends, no descriptor is left open but that of the status page.
    """
    for name in NAMES:
        monkeypatch.setattr(module, name, str(tmp_path / name))
    yield tmp_path
    links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    names = [os.readlink(link) for link in links if os.path.islink(link)]
    assert [] == [name for name in names if name.startswith(f"{tmp_path}/") and name != module.STATUS]
    for link in links:
        if os.path.islink(link) and os.readlink(link) == module.STATUS:
            os.close(int(os.path.basename(link)))


class Other:
    """``posix``, but for ``name``, which does what a test wants."""

    def __init__(self, name: str, call: object) -> None:
        self.name, self.call = name, call

    def __getattr__(self, name: str) -> object:
        return self.call if name == self.name else getattr(cores.posix, name)


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """From now on the kernel answers a call of ``name`` with the error ``number`` of errno(3)."""

    def call(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, "posix", Other(name, call))


def test_files_are_those_of_the_kernel() -> None:
    """selinuxfs has had its place since Linux 3.0, thread-self is there since 3.17."""
    assert [
        "/proc/thread-self/attr/current",
        "/sys/fs/selinux/access",
        "/sys/fs/selinux/context",
        "/sys/fs/selinux/class/process/index",
        "/sys/fs/selinux/status",
    ] == PATHS


# ---- knows


def test_context_that_the_kernel_takes_is_known(files: Path) -> None:
    """It is sent whole, in one call, with the NUL that ends it."""
    (files / "CONTEXT").touch()
    assert Kernel().knows(CONTEXT)
    assert MESSAGE == (files / "CONTEXT").read_bytes()


def test_context_that_is_invalid_is_not_known(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EINVAL, of the write: that is the kernel's no."""
    (files / "CONTEXT").touch()
    refuse(monkeypatch, "write", errno.EINVAL)
    assert not Kernel().knows(CONTEXT)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENOMEM, errno.EFBIG, errno.ERANGE, errno.EIO])
@pytest.mark.parametrize("call", ["open", "write"])
def test_any_other_error_is_no_answer(files: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    """It is neither yes nor no."""
    (files / "CONTEXT").touch()
    refuse(monkeypatch, call, number)
    with pytest.raises(OSError) as caught:
        Kernel().knows(CONTEXT)
    assert number == caught.value.errno


def test_context_is_not_asked_about_without_selinuxfs() -> None:
    """The file is not there, and none is made."""
    with pytest.raises(FileNotFoundError, match="CONTEXT"):
        Kernel().knows(CONTEXT)


# ---- is_permissive


def vector(files: Path, answer: bytes, index: bytes = b"2") -> None:
    """The kernel's number of the class process, and what it will answer to ``QUESTION``."""
    (files / "PROCESS").write_bytes(index)
    (files / "ACCESS").write_bytes(bytes(len(QUESTION)) + answer)


@pytest.mark.parametrize(
    ("flags", "permissive"), [(b"0", False), (b"1", True), (b"2", False), (b"3", True), (b"10", False), (b"1f", True)]
)
def test_permissive_is_bit_one_of_the_flags(files: Path, flags: bytes, permissive: bool) -> None:
    """AVD_FLAGS_PERMISSIVE, hexadecimal, of the vector for the domain on itself; nothing else in it counts."""
    vector(files, VECTOR + flags)
    assert permissive is Kernel().is_permissive(CONTEXT)
    assert QUESTION + VECTOR + flags == (files / "ACCESS").read_bytes()


@pytest.mark.parametrize("index", [b"2\n", b"02"])
def test_class_is_a_number(files: Path, index: bytes) -> None:
    """Asked for as a number, however it is written."""
    vector(files, VECTOR + b"1", index)
    assert Kernel().is_permissive(CONTEXT)
    assert (files / "ACCESS").read_bytes().startswith(QUESTION)


@pytest.mark.parametrize("index", [b"", b"\n", b"process", b"2 3", b"\xff"])
def test_class_that_is_no_number_is_no_answer(files: Path, index: bytes) -> None:
    """And nothing is asked."""
    vector(files, VECTOR + b"0", index)
    with pytest.raises(ValueError, match=r"invalid literal for int\(\)"):
        Kernel().is_permissive(CONTEXT)
    assert bytes(len(QUESTION)) == (files / "ACCESS").read_bytes()[: len(QUESTION)]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "not enough values"),
        (b"0", "not enough values"),
        (VECTOR, "not enough values"),  # libselinux takes that for "not permissive"
        (VECTOR + b"0 0", "too many values"),
        (VECTOR + b"0x", "invalid literal"),
        (VECTOR + b"none", "invalid literal"),
        (VECTOR + b"\0", "invalid literal"),
        (VECTOR + b"0\0", "invalid literal"),
        (VECTOR + b"\xff", "invalid literal"),
    ],
)
def test_vector_that_is_none_is_no_answer(files: Path, answer: bytes, reason: str) -> None:
    """Six numbers, of which the last is read; anything else is not "not permissive"."""
    vector(files, answer)
    with pytest.raises(ValueError, match=reason):
        Kernel().is_permissive(CONTEXT)


@pytest.mark.parametrize("missing", ["PROCESS", "ACCESS"])
def test_vector_without_selinuxfs(files: Path, missing: str) -> None:
    """Either file."""
    vector(files, VECTOR + b"0")
    (files / missing).unlink()
    with pytest.raises(FileNotFoundError, match=missing):
        Kernel().is_permissive(CONTEXT)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EACCES])
def test_vector_that_is_refused(files: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """EINVAL is a context that the policy does not have."""
    vector(files, VECTOR + b"0")
    refuse(monkeypatch, "write", number)
    with pytest.raises(OSError) as caught:
        Kernel().is_permissive(CONTEXT)
    assert number == caught.value.errno


# ---- setcon and getcon


def test_context_to_enter_is_written_whole_and_nothing_is_read(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its NUL; a read would be one in the new domain."""
    (files / "CURRENT").touch()
    refuse(monkeypatch, "read", errno.EACCES)
    Kernel().setcon(CONTEXT)
    assert MESSAGE == (files / "CURRENT").read_bytes()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EINVAL])
def test_refused_setcon_is_an_oserror(files: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Denied, with a second thread, or no context."""
    (files / "CURRENT").touch()
    refuse(monkeypatch, "write", number)
    with pytest.raises(OSError) as caught:
        Kernel().setcon(CONTEXT)
    assert number == caught.value.errno


@pytest.mark.parametrize("taken", [0, 1, len(MESSAGE) - 1, len(MESSAGE) + 1])
@pytest.mark.parametrize("name", ["CURRENT", "CONTEXT", "ACCESS"])
def test_message_that_is_taken_in_part_is_an_error(
    files: Path, monkeypatch: pytest.MonkeyPatch, name: str, taken: int
) -> None:
    """A context without its end may be another one; the rest would be another question."""
    vector(files, VECTOR + b"0")
    (files / name).touch()
    monkeypatch.setattr(module, "posix", Other("write", lambda _file, _message: taken))
    kernel = Kernel()
    with pytest.raises(OSError, match=f"{name} took a part of what was written"):
        {"CURRENT": kernel.setcon, "CONTEXT": kernel.knows, "ACCESS": kernel.is_permissive}[name](CONTEXT)


def test_context_that_is_no_text_is_not_sent(files: Path) -> None:
    """ValueError, which whoever asks takes for a refusal."""
    for name in NAMES:
        (files / name).write_bytes(b"1")
    for ask in (Kernel().setcon, Kernel().knows, Kernel().is_permissive):
        with pytest.raises(ValueError, match="surrogates not allowed"):
            ask("a:b:\udcff_t:s0")
    assert {b"1"} == {(files / name).read_bytes() for name in NAMES}


@pytest.mark.parametrize("end", [b"", b"\0", b"\n", b"\0\n"])
def test_context_is_what_the_kernel_says_without_its_end(files: Path, end: bytes) -> None:
    """SELinux ends it with a NUL, other modules with a line feed."""
    (files / "CURRENT").write_bytes(CONTEXT.encode() + end)
    assert CONTEXT == Kernel().getcon()


@pytest.mark.parametrize("name", ["open", "read"])
def test_context_that_is_not_told_is_an_oserror(files: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Never the empty context."""
    (files / "CURRENT").write_bytes(MESSAGE)
    refuse(monkeypatch, name, errno.EACCES)
    with pytest.raises(PermissionError):
        Kernel().getcon()


def test_context_that_is_not_utf_8_is_no_answer(files: Path) -> None:
    """ValueError."""
    (files / "CURRENT").write_bytes(b"a:b:\xff_t:s0\0")
    with pytest.raises(UnicodeDecodeError):
        Kernel().getcon()


# ---- the status page


def page(enforcing: int = 1, version: int = 1, sequence: int = 4) -> bytes:
    """struct selinux_kernel_status, of a kernel that has loaded three policies and denies what it does not know."""
    return struct.pack("=5I", version, sequence, enforcing, 3, 1)


@pytest.mark.parametrize(
    ("enforcing", "mode"),
    [(1, "enforcing"), (0, "permissive"), (2, "permissive"), (0x01000000, "permissive"), (0xFFFFFFFF, "permissive")],
)
def test_mode_stands_in_the_page(files: Path, enforcing: int, mode: str) -> None:
    """Only 1 is enforcing; what lies behind the structure is no part of it."""
    (files / "STATUS").write_bytes(page(enforcing) + bytes(4076))
    assert mode == Kernel().watch()


def test_mode_and_what_is_watched_are_read_in_one_call(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two calls there could be a change that neither shows."""
    reads: list[int] = []

    def pread(file: int, size: int, offset: int) -> bytes:
        reads.append(size)
        return os.pread(file, size, offset)

    (files / "STATUS").write_bytes(page())
    monkeypatch.setattr(module, "posix", Other("pread", pread))
    assert "enforcing" == Kernel().watch()
    assert [20] == reads


def test_disabled_is_where_there_is_no_page(files: Path) -> None:
    """A kernel without SELinux, or started with selinux=0, has no selinuxfs; and nothing of it changes."""
    kernel = Kernel()
    assert "disabled" == kernel.watch()
    assert kernel.unchanged()
    (files / "STATUS").write_bytes(page())
    assert kernel.unchanged()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENOMEM])
@pytest.mark.parametrize("name", ["open", "pread"])
def test_page_that_can_not_be_read_tells_no_mode(
    files: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    """Denied is not disabled."""
    (files / "STATUS").write_bytes(page())
    refuse(monkeypatch, name, number)
    with pytest.raises(OSError) as caught:
        Kernel().watch()
    assert number == caught.value.errno


@pytest.mark.parametrize(
    "content", [b"", page()[:3], page()[:12], page()[:19], page(version=0), page(version=2), page(version=0x01000000)]
)
def test_page_of_another_form_tells_no_mode(files: Path, content: bytes) -> None:
    """Cut short, or of a version that may have the mode elsewhere."""
    (files / "STATUS").write_bytes(content)
    with pytest.raises(ValueError, match="STATUS is not of version 1"):
        Kernel().watch()


def watched(files: Path, content: bytes) -> Kernel:
    """A Kernel that watches a page with ``content``."""
    (files / "STATUS").write_bytes(content)
    kernel = Kernel()
    kernel.watch()
    return kernel


@pytest.mark.parametrize("enforcing", [0, 1])
def test_any_change_of_the_status_page_shows(files: Path, enforcing: int) -> None:
    """Each byte of the structure; what lies behind it is no part of it."""
    content = page(enforcing)
    kernel = watched(files, content + bytes(4076))
    assert kernel.unchanged()
    for place in range(20):
        other = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        (files / "STATUS").write_bytes(other + bytes(4076))
        assert not kernel.unchanged(), place
    (files / "STATUS").write_bytes(content + bytes(4075) + b"\1")
    assert kernel.unchanged()


# What the kernel writes, one field after the other (selinux_status_update_setenforce).
BEFORE, BEGUN, WRITTEN, AFTER = page(1), page(1, sequence=5), page(0, sequence=5), page(0, sequence=6)


@pytest.mark.parametrize(
    ("seen", "mode"),
    [
        (BEGUN, "enforcing"),
        (WRITTEN, "permissive"),
        (BEFORE[:8] + AFTER[8:], "permissive"),
        (AFTER[:8] + BEFORE[8:], "enforcing"),
    ],
)
def test_page_read_while_it_is_written_is_none_that_stays(files: Path, seen: bytes, mode: str) -> None:
    """Whatever mixture is seen, also one that no order of writing explains: once the page is whole, it has changed."""
    (files / "STATUS").write_bytes(seen)
    kernel = Kernel()
    assert mode == kernel.watch()
    (files / "STATUS").write_bytes(AFTER)
    assert not kernel.unchanged()
    assert ("permissive", True) == (kernel.watch(), kernel.unchanged())


def test_status_page_that_can_no_longer_be_read_has_changed(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the new policy, the tenant may not."""
    kernel = watched(files, page())
    refuse(monkeypatch, "pread", errno.EACCES)
    assert not kernel.unchanged()


def test_watching_again_is_over_the_same_descriptor(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it sees counts from then on; below the line there must be one descriptor of SELinux, not one for each."""
    kernel = watched(files, page())
    descriptor = kernel.status_file
    (files / "STATUS").write_bytes(page(0, sequence=6))
    assert not kernel.unchanged()
    refuse(monkeypatch, "open", errno.EACCES)
    assert ("permissive", True, descriptor) == (kernel.watch(), kernel.unchanged(), kernel.status_file)
    (files / "STATUS").write_bytes(page())
    assert not kernel.unchanged()


def test_nothing_that_is_not_watched_changes() -> None:
    """selinux: optional, where SELinux is disabled: there is no page at all."""
    assert Kernel().unchanged()


# ---- check


def test_enforcing_with_the_policy_of_the_table_is_confined() -> None:
    """The generation is a type of the loaded policy."""
    kernel = FakeKernel(generation="abc")
    assert check(kernel, "abc", True, False)
    assert [("watch",), ("getcon",), ("knows", "system_u:object_r:selsock_generation_abc:s0")] == kernel.calls


@pytest.mark.parametrize("context", ["system_u:system_r:selsock_t:s0", "web_u:web_r:selsock_t:s0-s0:c0.c1023"])
def test_own_domain_is_told_by_the_type_alone(context: str) -> None:
    """An administrator may run the unit under another user, role or level."""
    kernel = FakeKernel()
    kernel.context = context
    assert check(kernel, "g1", True, False)


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
        check(kernel, "g1", required, False)
    wanted = f"running as {context}, not selsock_t: restorecon it, and restart the socket"
    assert (wanted, 503) == (caught.value.reason, caught.value.status)
    assert [("watch",), ("getcon",)] == kernel.calls


@pytest.mark.parametrize(("apart", "own", "other"), [(False, *OWN_TYPES), (True, *OWN_TYPES[::-1])])
def test_domain_is_that_of_the_listeners_kind_and_no_other(apart: bool, own: str, other: str) -> None:
    """A process that may change its user serves on no other listener, and one that may not, not there."""
    kernel = FakeKernel()
    kernel.context = f"system_u:system_r:{own}:s0"
    assert check(kernel, "g1", True, apart)
    kernel.context = f"system_u:system_r:{other}:s0"
    with pytest.raises(PolicyFault, match=f"running as {kernel.context}, not {own}: "):
        check(kernel, "g1", True, apart)


@pytest.mark.parametrize("required", [True, False])
def test_policy_of_another_generation_serves_nobody(required: bool) -> None:
    """Also where SELinux is optional: what enforces must be what the table was made for."""
    with pytest.raises(PolicyFault, match="not of the table's generation g2: run selsock-generate"):
        check(FakeKernel(generation="g1"), "g2", required, False)


@pytest.mark.parametrize("mode", ["permissive", "disabled", "", "Enforcing"])
def test_anything_but_enforcing_serves_nobody_by_default(mode: str) -> None:
    """The reason names the mode."""
    with pytest.raises(PolicyFault) as caught:
        check(FakeKernel(mode=mode), "g1", True, False)
    assert (f"SELinux is {mode}, and vhost.yaml requires it", 503) == (caught.value.reason, caught.value.status)


@pytest.mark.parametrize("mode", ["permissive", "disabled"])
def test_optional_serves_unconfined(mode: str) -> None:
    """False is what makes handle() say so in the journal."""
    kernel = FakeKernel(mode=mode)
    kernel.context = "system_u:system_r:initrc_t:s0"
    assert not check(kernel, "g1", False, False)
    assert [("watch",)] == kernel.calls


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "/the/file"), ValueError("no answer")])
@pytest.mark.parametrize("question", ["watch", "getcon", "knows"])
def test_question_that_is_not_answered_serves_nobody(
    monkeypatch: pytest.MonkeyPatch, question: str, error: Exception, required: bool
) -> None:
    """That is no "disabled", no other generation, and no defect either; the reason names the file."""

    def mute(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(FakeKernel, question, mute)
    with pytest.raises(PolicyFault) as caught:
        check(FakeKernel(), "g1", required, False)
    assert (f"SELinux does not answer: {error}", 503) == (caught.value.reason, caught.value.status)


@pytest.mark.parametrize("required", [True, False])
def test_page_that_can_not_be_read_serves_nobody(files: Path, required: bool) -> None:
    """Through to the file."""
    (files / "STATUS").mkdir()
    with pytest.raises(PolicyFault, match="SELinux does not answer: .*Is a directory"):
        check(Kernel(), "g1", required, False)
