# SPDX-License-Identifier: Apache-2.0
"""Settings of hypothesis for all unit tests: a busy machine is no counterexample."""

from hypothesis import settings

settings.register_profile("selsock", deadline=None)
settings.load_profile("selsock")
