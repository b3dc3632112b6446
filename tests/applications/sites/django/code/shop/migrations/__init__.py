# SPDX-License-Identifier: Apache-2.0
"""What manage.py makemigrations wrote."""
