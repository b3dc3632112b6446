# SPDX-License-Identifier: Apache-2.0
"""Whether the loaded policy would let the handler enter a context, as the kernel of this machine says."""

from __future__ import annotations

from dataclasses import dataclass

from selsock.context import Context
from selsock.handler.kernel import ACCESS, ANSWER_BYTES, OWN_TYPES, PROCESS, Kernel, exchange, is_of

DYNTRANSITION = "/sys/fs/selinux/class/process/perms/dyntransition"


@dataclass(frozen=True, slots=True)
class Transition:
    """``allowed`` is None where it could not be asked; ``reason`` says why, or why not; empty for a plain yes."""

    allowed: bool | None
    reason: str = ""


def transition(kernel: Kernel, context: Context, generation: str, required: bool) -> Transition:
    """What the kernel says of ``context``, for a table of ``generation``."""
    try:
        mode = kernel.watch()
        if mode == "disabled":
            return Transition(None, "SELinux is disabled here")
        if mode == "permissive" and required:
            return Transition(False, "SELinux is permissive, and vhost.yaml requires it")
        target = f"system_u:system_r:{context}"
        if not kernel.knows(target):
            return Transition(False, f"the loaded policy knows no context {target}")
        if not is_allowed(target):
            return Transition(False, f"{OWN_TYPES[0]} may not enter it by the loaded policy")
        if kernel.is_permissive(target):
            return Transition(False, f"the domain {context.type} is permissive")
        if not is_of(kernel, generation):
            return Transition(False, f"the loaded policy is not of this configuration's generation {generation}")
    except (OSError, ValueError) as error:
        return Transition(None, f"SELinux does not answer: {error}")
    return Transition(True)


def is_allowed(target: str) -> bool:
    """Whether the handler's domain has process dyntransition to ``target``; both have the same.  Raises OSError, ValueError."""
    process = int(exchange(PROCESS, b"", ANSWER_BYTES))
    bit = 1 << int(exchange(DYNTRANSITION, b"", ANSWER_BYTES)) - 1
    question = f"system_u:system_r:{OWN_TYPES[0]}:s0 {target} {process} 0"
    allowed, *_ = exchange(ACCESS, question.encode(), ANSWER_BYTES).split()
    return bool(int(allowed, 16) & bit)
