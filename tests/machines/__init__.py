# SPDX-License-Identifier: Apache-2.0
"""Machines for the tests: a real systemd at native speed, and a real enforcing SELinux under QEMU.

Reading order: commands, trees, install, packages, journal, audit, native, image, vm, evidence. Everything here needs root.
"""
