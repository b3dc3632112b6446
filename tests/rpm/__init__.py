# SPDX-License-Identifier: Apache-2.0
"""The packages, built and installed natively in Debian trees; what an enforcing kernel makes of them is tests/vm's."""
