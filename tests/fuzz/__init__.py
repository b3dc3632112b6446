# SPDX-License-Identifier: Apache-2.0
"""Differential fuzzing: what we accept, llhttp (Node.js, by way of httptools) and h11 accept and read alike."""
