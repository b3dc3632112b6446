# SPDX-License-Identifier: Apache-2.0
"""make bench: what a connection costs, beside what one might have used instead.  Needs root.

All rows are measured in one run on one machine, and take turns in an order that is shuffled each time, so that noise
hits all of them.  Reading order: rows, units, the groups of rows (floors, site, hardening, tables, …), client, figures,
facts, table, chart, machine, __main__.
"""
