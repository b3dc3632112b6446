# SPDX-License-Identifier: Apache-2.0
"""``selsockctl verify``: that tenants can not reach each other, derived from the policy and tried out."""
