# SPDX-License-Identifier: Apache-2.0
"""Customers at a shell and with sftp and scp, over a real sshd, where the kernel enforces: each in his own content, which
the web serves as he leaves it, and none in another's.

dog and cat have one domain, and categories keep them apart; cow has another domain.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.audit import Record
from tests.machines.vm import Mark, VirtualMachine
from tests.visitor import curl
from tests.vm.conftest import BootVm
from tests.vm.expected_avcs import OF_LOGINS, is_expected, missed
from tests.vm.hosting import RECIPE, scp, sftp, ssh

CONTEXTS = {
    "dog": "selsock_web_u:selsock_web_login_r:selsock_web_login_t:s0:c0,c1",
    "cat": "selsock_web_u:selsock_web_login_r:selsock_web_login_t:s0:c0,c2",
    "kitten": "selsock_web_u:selsock_web_login_r:selsock_web_login_t:s0:c0,c2",
    "cow": "selsock_app_u:selsock_app_login_r:selsock_app_login_t:s0:c0,c3",
}
TREES = {"dog": "/srv/vhosts/dog", "cat": "/srv/vhosts/cat", "cow": "/srv/vhosts/cow/htdocs"}
OTHERS = [(user, other) for user in TREES for other in TREES if user != other]
CONTENT = {"dog": "selsock_web_content_t", "cat": "selsock_web_content_t", "cow": "selsock_app_content_t"}


@pytest.fixture(scope="module")
def vm(boot_vm: BootVm) -> Iterator[VirtualMachine]:
    """A machine of its own, in the place of the one that the other modules share, applied to once."""
    with boot_vm(RECIPE, "vm-login") as machine:
        machine.ssh("selsock-generate /etc/selsock/vhost.yaml")
        yield machine


def get(vm: VirtualMachine, user: str, path: str, *options: str) -> str:
    """What the vhost of ``user`` answers for ``path``, if that is a success."""
    answer = curl(vm.http_port(80), f"http://{user}.example{path}", options=options)
    return answer.content if answer.status == 200 else str(answer.status)


def labelled(vm: VirtualMachine, path: str) -> str:
    """Type and level of a file."""
    return vm.ssh(["stat", "-c", "%C", path]).stdout.strip().split(":", 2)[2]


def denials(vm: VirtualMachine, since: Mark, user: str, *, expected: bool = False) -> set[tuple[str, str, str]]:
    """Permission, class, and type and level of what was denied to ``user``; ``expected``: also what always is."""
    return {
        (word, record["tclass"], record["tcontext"].split(":", 2)[2])
        for record in vm.avcs(since, CONTEXTS[user])
        if record["scontext"] == CONTEXTS[user] and (expected or not is_expected(record))
        for word in record["permissions"].split()
    }


@pytest.mark.parametrize("user", CONTEXTS)
def test_where_a_session_is(vm: VirtualMachine, user: str) -> None:
    """In the domain of his logins at the level of his vhost, as himself; and so is what he starts."""
    script = "tr -d '\\0' </proc/self/attr/current; echo; id --user --name; sh -c 'cat /proc/self/attr/current'"
    said = ssh(vm, user, script).stdout.replace("\0", "").split()
    assert said == [CONTEXTS[user], user, CONTEXTS[user]]


def test_a_terminal(vm: VirtualMachine) -> None:
    """Of a type of its own, at the level of the session; a shell keeps no history."""
    script = 'stat --format %C "$(tty)"; echo "as" typed\nexit\n'
    said = ssh(vm, "dog", script, terminal=True).stdout
    assert "selsock_web_u:object_r:selsock_login_devpts_t:s0:c0,c1" in said
    assert "as typed" in said


@pytest.mark.parametrize("user", TREES)
def test_a_customer_edits_his_content(vm: VirtualMachine, user: str) -> None:
    """Lists, creates, edits, moves and deletes, under a umask that shares nothing; what is there before is his, too.  New
    files have type and level, and are served at once."""
    tree = TREES[user]
    script = f"""set -e; umask 077; cd {tree}
echo first >page.html; mkdir -p part; echo inner >part/inner.html; sed -i s/first/second/ page.html
echo '<!-- {user} was here -->' >>index.html; mv part/inner.html moved.html; ln -s page.html link.html; ln page.html twice.html
rm twice.html link.html; rm -r part; ls"""
    assert ssh(vm, user, script).stdout.split() == sorted(
        ["index.html", "moved.html", "page.html", *(["rw"] if user == "dog" else [])]
    )
    assert [get(vm, user, f"/{name}.html") for name in ("page", "moved", "inner")] == ["second\n", "inner\n", "404"]
    assert f"{user} was here" in get(vm, user, "/index.html")
    level = CONTEXTS[user].split(":", 3)[3]
    assert labelled(vm, f"{tree}/page.html") == f"{CONTENT[user]}:{level}"


def test_new_files_have_the_type_of_their_directory(vm: VirtualMachine) -> None:
    """In one with access: write they are the application's to write; what is moved there keeps its label."""
    ssh(vm, "dog", "cd /srv/vhosts/dog; mkdir rw/new; echo >rw/new/a; echo >b; mv b rw/")
    assert labelled(vm, "/srv/vhosts/dog/rw/new/a") == "selsock_web_rw_t:s0:c0,c1"
    assert labelled(vm, "/srv/vhosts/dog/rw/b") == "selsock_web_content_t:s0:c0,c1"


def test_two_logins_of_one_customer(vm: VirtualMachine) -> None:
    """Each edits in place what the other created."""
    tree = TREES["cat"]
    ssh(vm, "cat", f"umask 077; echo cat >{tree}/both.html; mkdir {tree}/dir")
    ssh(vm, "kitten", f"umask 077; echo kitten >>{tree}/both.html; echo >{tree}/dir/kittens.html")
    ssh(vm, "cat", f"echo cat >>{tree}/dir/kittens.html; rm -r {tree}/dir")
    assert get(vm, "cat", "/both.html") == "cat\nkitten\n"


def test_sftp_and_scp(vm: VirtualMachine, tmp_path: Path) -> None:
    """Put, fetched, renamed, deleted; scp in both of its protocols; all of it is served at once."""
    file = tmp_path / "new.html"
    file.write_text("uploaded\n")
    file.chmod(0o644)
    tree = TREES["cow"]
    sftp(
        vm,
        "cow",
        f"cd {tree}",
        f"put {file} sftp.html",
        "mkdir made",
        f"put {file} made/old.html",
        "rename made/old.html named.html",
    )
    sftp(vm, "cow", f"cd {tree}", "rmdir made", f"get index.html {tmp_path}/index.html")
    scp(vm, "cow", file, f"{tree}/scp.html")
    scp(vm, "cow", file, f"{tree}/rcp.html", "-O")
    assert "Cow" in (tmp_path / "index.html").read_text()
    assert [get(vm, "cow", f"/{name}.html") for name in ("sftp", "named", "scp", "rcp")] == ["uploaded\n"] * 4
    sftp(vm, "cow", f"rm {tree}/sftp.html")
    assert get(vm, "cow", "/sftp.html") == "404"
    assert labelled(vm, f"{tree}/scp.html") == "selsock_app_content_t:s0:c0,c3"


def test_application_and_login_edit_what_the_other_wrote(vm: VirtualMachine, tmp_path: Path) -> None:
    """In place, whatever the umask of either."""
    assert get(vm, "cow", "/app?apps:666", "--data", "app") == "written"
    ssh(vm, "cow", "umask 077; cd /srv/vhosts/cow/rw; echo -n +cow >>apps; echo -n cow >cows")
    assert get(vm, "cow", "/app?cows:666", "--data", "+app") == "written"
    assert [get(vm, "cow", f"/rw/{name}") for name in ("apps", "cows")] == ["app+cow", "cow+app"]


@pytest.mark.provokes
def test_what_one_asked_for_is_his_alone_to_write(vm: VirtualMachine, tmp_path: Path) -> None:
    """sftp puts with the mode that the file has here; of 0644 the application has the reading, and may put another in its
    place, but not write into it, until the customer lets the group write.  The same the other way round."""
    file = tmp_path / "put"
    file.write_text("cow")
    file.chmod(0o644)
    sftp(vm, "cow", f"put {file} /srv/vhosts/cow/rw/put")
    assert get(vm, "cow", "/rw/put") == "cow"
    assert get(vm, "cow", "/app?put:666", "--data", "+app") == "Permission denied"
    sftp(vm, "cow", "chmod 664 /srv/vhosts/cow/rw/put")
    assert get(vm, "cow", "/app?put:666", "--data", "+app") == "written"
    assert get(vm, "cow", "/app?asked:644", "--data", "app") == "written"
    narrow = ssh(vm, "cow", "cd /srv/vhosts/cow/rw; cat asked; echo +cow >>asked", check=False)
    assert (narrow.stdout, "Permission denied" in narrow.stderr) == ("app", True)
    ssh(vm, "cow", "cd /srv/vhosts/cow/rw; cp asked another; mv -f another asked; echo +cow >>asked")


@pytest.mark.provokes
@pytest.mark.parametrize(("user", "other"), OTHERS)
def test_another_customers_content(vm: VirtualMachine, user: str, other: str) -> None:
    """Neither listed, nor looked at, read or written, by a shell or by sftp; the kernel says so of each."""
    tree = f"/srv/vhosts/{other}"
    mark = vm.mark()
    script = f"""for command in "ls {tree}" "stat {tree}" "cat {TREES[other]}/index.html" "stat {TREES[other]}/index.html" \\
        "touch {TREES[other]}/mine" "rm -f {TREES[other]}/index.html" "cd {tree}"; do
    $command >/dev/null 2>&1 && echo "$command"
done"""
    assert ssh(vm, user, script, check=False).stdout == ""
    for line in (f"ls {tree}", f"get {TREES[other]}/index.html /dev/null", f"put {__file__} {TREES[other]}/mine"):
        assert sftp(vm, user, line, check=False).returncode == 1
    what = CONTENT[other] + ":" + CONTEXTS[other].split(":", 3)[3]
    assert denials(vm, mark, user) == {("getattr", "dir", what), ("search", "dir", what)}
    assert get(vm, other, "/index.html") != "404"


@pytest.mark.provokes
@pytest.mark.parametrize(("user", "other"), [("dog", "cat"), ("cow", "dog")])
def test_another_users_processes(vm: VirtualMachine, user: str, other: str) -> None:
    """Not to be found, looked at, or signalled."""
    pid = ssh(vm, other, "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!").stdout.strip()
    try:
        mark = vm.mark()
        script = f"""cat /proc/{pid}/cmdline; ls /proc/{pid} /proc; kill -0 {pid}; kill {pid}"""
        done = ssh(vm, user, script, check=False)
        assert (done.stdout, done.stderr.count("denied"), done.stderr.count("not permitted")) == ("", 3, 2)
        assert denials(vm, mark, user) == {
            ("search", "dir", CONTEXTS[other].split(":", 2)[2]),
            ("getattr", "dir", CONTEXTS[other].split(":", 2)[2]),
            ("read", "dir", "proc_t:s0"),
        }
    finally:
        vm.ssh(["kill", pid])


# What nobody who logs in has any business with, and what the kernel says of it.
PLACES = {
    "cat /var/lib/selsock/table.cdb": ("search", "dir", "var_lib_t:s0"),
    "ls /var/lib/selinux": ("search", "dir", "var_lib_t:s0"),
    "cat /etc/selinux/default/seusers": ("search", "dir", "selinux_config_t:s0"),
    "ls /etc/selinux/default/policy": ("search", "dir", "selinux_config_t:s0"),
    "cat /sys/fs/selinux/enforce": ("search", "dir", "security_t:s0"),
    "cat /etc/selsock/vhost.yaml": ("search", "dir", "selsock_passwd_t:s0"),
    "ls /srv/vhosts": ("read", "dir", "var_t:s0"),
    "ls /home": ("read", "dir", "home_root_t:s0"),
    "cat /home/dog/.ssh/authorized_keys": ("search", "dir", "ssh_home_t:s0"),
    "touch /home/dog/file": ("write", "dir", "user_home_dir_t:s0"),
    "touch /tmp/file": ("search", "dir", "tmp_t:s0"),
    "touch /dev/shm/file": ("search", "dir", "tmpfs_t:s0"),
    "echo >/srv/vhosts/dog/own; chcon -t selsock_web_rw_t /srv/vhosts/dog/own": (
        "relabelfrom",
        "file",
        "selsock_web_content_t:s0:c0,c1",
    ),
    "mkfifo /srv/vhosts/dog/fifo": ("create", "fifo_file", "selsock_web_content_t:s0:c0,c1"),
    "/usr/bin/su": ("getattr", "file", "su_exec_t:s0"),
    "cp /bin/true /srv/vhosts/dog/rw/true; /srv/vhosts/dog/rw/true": ("execute", "file", "selsock_web_rw_t:s0:c0,c1"),
    "python3 -c 'import socket; socket.socket()'": ("create", "tcp_socket", "selsock_web_login_t:s0:c0,c1"),
    "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(b\"\\0name\")'": (
        "bind",
        "unix_stream_socket",
        "selsock_web_login_t:s0:c0,c1",
    ),
}


@pytest.mark.provokes
def test_what_else_is_out_of_reach(vm: VirtualMachine) -> None:
    """Policy, table, configuration, homes, shared places, other programs' rights, the network; and his own labels."""
    for command, denied in PLACES.items():
        mark = vm.mark()
        assert ssh(vm, "dog", command, check=False).returncode != 0, command
        assert denied in denials(vm, mark, "dog", expected=True), command


def test_what_is_expected_to_be_denied_is(vm: VirtualMachine) -> None:
    """In the machine that it is expected in: what no longer happens has no place in the list."""
    records: list[Record] = vm.avcs(about="_login_t")
    assert missed(records, OF_LOGINS) == []
