# SPDX-License-Identifier: Apache-2.0
"""Tests that need no privilege, no systemd and no SELinux; `make unit`."""
