# SPDX-License-Identifier: Apache-2.0
"""``selsockctl doctor``: what is wrong with this machine, and what mends it."""
