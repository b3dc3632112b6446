# SPDX-License-Identifier: Apache-2.0
"""A machine whose customers log in: what is in it, and a real ssh client for any of them.

dog and cat are customers of one domain, whom their categories keep apart; cow has an application, in a domain of her own.
"""

import shlex
import subprocess
from pathlib import Path

from tests.machines import image
from tests.machines.commands import run
from tests.machines.vm import VirtualMachine
from tests.site import page

LOGINS = ("dog", "cat", "kitten", "cow")
VHOST_YAML = """listen: [80]
limits: {connections_per_source: 0}
domains:
  web: {}
  app: {python: true}
contexts:
  - {any: true}
vhosts:
  dog.example: {root: /srv/vhosts/dog, domain: web, range: auto, login: dog, content: {/rw: {access: write}}}
  cat.example: {root: /srv/vhosts/cat, domain: web, range: auto, login: [cat, kitten]}
  cow.example:
    root: /srv/vhosts/cow
    domain: app
    range: auto
    login: cow
    temporary: /tmp
    content: {/rw: {access: write}}
    locations:
      /: {static: {directory: /htdocs}}
      /rw: {static: {directory: /rw}}
      /app: {wsgi: {application: "write:application", python: [/code]}}
"""
# Writes what comes into the file that the query names, asking for the mode there: "/app?NAME:MODE".
WRITE = b"""import os

def application(environ, start_response):
    name, _, mode = environ["QUERY_STRING"].partition(":")
    data = environ["wsgi.input"].read()
    os.umask(0o077)
    try:
        with open(os.open("/srv/vhosts/cow/rw/" + name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, int(mode, 8)), "ab") as file:
            file.write(data)
        answer = "written"
    except OSError as error:
        answer = error.strerror
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]
"""
FILES = {
    "/srv/vhosts/dog/index.html": page("Dog"),
    "/srv/vhosts/dog/rw/.keep": (b"", 0o644),
    "/srv/vhosts/cat/index.html": page("Cat"),
    "/srv/vhosts/cow/htdocs/index.html": page("Cow"),
    "/srv/vhosts/cow/code/write.py": (WRITE, 0o644),
    "/srv/vhosts/cow/rw/.keep": (b"", 0o644),
    "/srv/vhosts/cow/tmp/.keep": (b"", 0o644),
}
# Their homes hold nothing but the key.  None of the sshd's own settings is touched.
SCRIPT = f"""
for name in {" ".join(LOGINS)}; do
    useradd --create-home --skel /var/empty --shell /bin/bash "$name"
    install -D --owner "$name" --mode 600 /root/.ssh/authorized_keys "/home/$name/.ssh/authorized_keys"
    chown "$name" "/home/$name/.ssh"
done
"""
RECIPE = image.Recipe(VHOST_YAML, FILES, slim=True, script=SCRIPT)


def options(machine: VirtualMachine) -> list[str]:
    """What ssh, scp and sftp have to be told to reach ``machine`` as anybody, each time by a connection of its own."""
    words = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes")
    settings = [*words, f"Port={machine.http_port(22)}", "ConnectTimeout=60", "IdentitiesOnly=yes"]
    key = str(Path(machine.image.directory, "key"))
    return ["-F", "none", "-i", key, *(word for setting in settings for word in ("-o", setting))]


def ssh(
    machine: VirtualMachine, user: str, script: str, *, check: bool = True, terminal: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a shell script as ``user``, over a connection of his own, or type it at a terminal."""
    command = ["ssh", *options(machine), *(["-tt"] if terminal else []), f"{user}@127.0.0.1"]
    if terminal:
        return run(command, check=check, input=script, timeout=120)
    return run([*command, script], check=check, timeout=120)


def sftp(machine: VirtualMachine, user: str, *commands: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Give sftp commands, of which the first that fails is the last."""
    command = ["sftp", *options(machine), "-b", "-", f"{user}@127.0.0.1"]
    return run(command, check=check, input="".join(f"{line}\n" for line in commands), timeout=120)


def scp(machine: VirtualMachine, user: str, file: Path, target: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Copy a file to the path ``target``, with the options ``more``."""
    return run(["scp", *options(machine), *more, str(file), f"{user}@127.0.0.1:{shlex.quote(target)}"], timeout=120)
