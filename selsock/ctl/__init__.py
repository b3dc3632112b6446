# SPDX-License-Identifier: Apache-2.0
"""selsockctl: looks at what handler and generator do; the one program that imports both."""
