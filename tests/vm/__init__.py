# SPDX-License-Identifier: Apache-2.0
"""Tests on a Debian with SELinux enforcing under QEMU (make vm; root)."""
