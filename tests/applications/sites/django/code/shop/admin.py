# SPDX-License-Identifier: Apache-2.0
"""The admin keeps the things."""

from django.contrib import admin

from shop.models import Thing

admin.site.register(Thing)
