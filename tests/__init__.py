# SPDX-License-Identifier: Apache-2.0
"""The tests; `make help` lists their tiers."""
