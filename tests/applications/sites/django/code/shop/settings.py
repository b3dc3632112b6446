# SPDX-License-Identifier: Apache-2.0
"""Settings as Django's own checklist for deployment wants them, as far as plain HTTP goes."""

ROOT = "/srv/vhosts/django"
SECRET_KEY = "known to this test alone"
ALLOWED_HOSTS = ["django.example"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{ROOT}/data/shop.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The default takes a second of the machines that are emulated.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
STATIC_URL, STATIC_ROOT = "/static/", f"{ROOT}/static"
MEDIA_URL, MEDIA_ROOT = "/media/", f"{ROOT}/media"
USE_TZ = True
