# SPDX-License-Identifier: Apache-2.0
"""libselinux's own binding as the judge of what the handler's Kernel says, in the machine, asked by root."""

import json

from tests.machines.vm import VirtualMachine

_JUDGE = """
import glob, json, sys
import _selinux
sys.path[:0] = glob.glob("/usr/lib/selsock/*")
from selsock.handler.kernel import Kernel

def watch():
    if _selinux.is_selinux_enabled() != 1:
        return "disabled"
    return "enforcing" if _selinux.security_getenforce() == 1 else "permissive"

def getcon():
    return _selinux.getcon_raw()[1]

def knows(context):
    return _selinux.security_check_context_raw(context) == 0

def is_permissive(context):
    vector = _selinux.new_av_decision()
    process = _selinux.string_to_security_class("process")
    _selinux.security_compute_av_flags_raw(context, context, process, 0, vector)
    return bool(_selinux.av_decision_flags_get(vector) & 1)  # SELINUX_AVD_FLAGS_PERMISSIVE

def answer(call, context):
    try:
        return call(*context)
    except OSError as error:
        return error.errno

question, contexts = json.load(sys.stdin)
ours = [answer(getattr(Kernel(), question), context) for context in contexts]
theirs = [answer(globals()[question], context) for context in contexts]
if question == "knows":  # EINVAL is the kernel's no: the binding raises it
    theirs = [False if found == 22 else found for found in theirs]
print(json.dumps([ours, theirs]), flush=True)  # SWIG adds lines of its own at the end
"""


def judged(vm: VirtualMachine, question: str, contexts: list[str] | None = None) -> list[object]:
    """What the method ``question`` of Kernel returns for each of ``contexts``, or its errno: libselinux says the same.

    Without contexts it is a question that takes none.
    """
    asked = [question, [[]] if contexts is None else [[context] for context in contexts]]
    said = vm.ssh(["python3", "-Ic", _JUDGE], input=json.dumps(asked)).stdout
    ours, theirs = json.loads(said.splitlines()[0])
    assert ours == theirs
    return list(ours)
