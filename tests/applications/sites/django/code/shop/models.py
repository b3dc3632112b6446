# SPDX-License-Identifier: Apache-2.0
"""The model."""

from django.db import models


class Thing(models.Model):
    """Something for sale, and a file about it."""

    name = models.CharField(max_length=80)
    price = models.IntegerField()
    manual = models.FileField(upload_to="manuals", blank=True)

    def __str__(self) -> str:
        return f"{self.name} for {self.price}"
