# SPDX-License-Identifier: Apache-2.0
"""The admin, and a list for everybody."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path

from shop.models import Thing


def things(request: HttpRequest) -> HttpResponse:
    """One line for each thing."""
    return HttpResponse("".join(f"{thing}\n" for thing in Thing.objects.order_by("pk")), content_type="text/plain")


urlpatterns = [path("", things), path("admin/", admin.site.urls)]
