# SPDX-License-Identifier: Apache-2.0
"""selsock: a process per connection, confined by SELinux before it touches content."""

__version__ = "0.1.0"
