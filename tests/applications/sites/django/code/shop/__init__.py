# SPDX-License-Identifier: Apache-2.0
"""A shop with one kind of thing in it, kept by Django's admin."""
