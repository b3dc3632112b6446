# SPDX-License-Identifier: Apache-2.0
"""SELinux records out of auditd's log (log_format = RAW), each as a dict of text.

One event is several lines with one serial number, and lines of different events are mixed. parse() gives a dict per AVC,
USER_AVC or SELINUX_ERR line, with the fields of that line (scontext, tcontext, tclass, permissive, comm, …), and
    type         AVC, USER_AVC or SELINUX_ERR
    event        "TIME:SERIAL"; equal for lines of one event
    verdict      "denied" or "granted"; "" in a SELINUX_ERR
    permissions  "read write"; "" in a SELINUX_ERR
    syscall, exe from the SYSCALL line of the event, if there is one; path likewise from its first PATH line
    raw          the line as it is
Text that auditd wrote in hexadecimal, because it was not plain, is decoded.
"""

import re

Record = dict[str, str]

_LINE = re.compile(r"type=(?P<type>\w+) msg=audit\((?P<event>[\d.]+:\d+)\): ?(?P<body>.*)")
_FIELD = re.compile(r"""([\w-]+)=("[^"]*"|[^\s"']+)""")
_VERDICT = re.compile(r"avc: +(denied|granted) +\{ ([^}]*) \}")
_WANTED = ("AVC", "USER_AVC", "SELINUX_ERR")
# Only these are ever written in hexadecimal; "comm=dead" without quotes is the bytes DE AD, "ino=1234" is not.
_UNTRUSTED = ("comm", "exe", "name", "path", "proctitle")


def parse(log: str) -> list[Record]:
    """The SELinux records of a log, in its order."""
    lines = [found for line in log.splitlines() if (found := _LINE.match(line))]
    siblings: dict[tuple[str, str], Record] = {}
    for line in lines:
        siblings.setdefault((line["event"], line["type"]), _fields(line["body"]))
    return [_record(line, siblings) for line in lines if line["type"] in _WANTED]


def _record(line: re.Match[str], siblings: dict[tuple[str, str], Record]) -> Record:
    call = siblings.get((line["event"], "SYSCALL"), {})
    path = siblings.get((line["event"], "PATH"), {})
    record: Record = {name: call[name] for name in ("syscall", "exe", "comm") if name in call}
    if "name" in path:
        record["path"] = path["name"]
    record |= _fields(line["body"])
    verdict = _VERDICT.search(line["body"])
    record |= {"verdict": verdict[1] if verdict else "", "permissions": verdict[2] if verdict else ""}
    return record | {"type": line["type"], "event": line["event"], "raw": line.string}


def _fields(body: str) -> Record:
    return {name: _value(name, value) for name, value in _FIELD.findall(body)}


def _value(name: str, value: str) -> str:
    if value.startswith('"'):
        return value.strip('"')
    if name in _UNTRUSTED and re.fullmatch(r"(?:[0-9A-F]{2})+", value):
        return bytes.fromhex(value).decode(errors="surrogateescape")
    return value
