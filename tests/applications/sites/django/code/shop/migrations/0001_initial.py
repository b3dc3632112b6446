# SPDX-License-Identifier: Apache-2.0
"""The table of things."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The first."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="Thing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("price", models.IntegerField()),
                ("manual", models.FileField(blank=True, upload_to="manuals")),
            ],
        ),
    )
