# SPDX-License-Identifier: Apache-2.0
"""identify: who it is, asked by the handler of processes of their own (docs/adr/0010)."""
