# SPDX-License-Identifier: Apache-2.0
"""Tests on a real systemd as PID 1 in namespaces, without SELinux (make systemd; root)."""
