# SPDX-License-Identifier: Apache-2.0
"""What a level is made of.  The generator and the programs beside the handler take levels apart; the handler never does."""
