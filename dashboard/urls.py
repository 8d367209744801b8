from django.contrib import admin
from django.urls import include, path, re_path

from calls import intake

urlpatterns = [
    re_path(r"^webhooks/telnyx/?$", intake.webhook, name="webhook"),
    path("admin/", admin.site.urls),
    path("", include("calls.urls")),
    path("recordings/", include("recordings.urls")),
]
