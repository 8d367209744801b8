from django.contrib import admin
from django.urls import include, path, re_path

from calls import intake
from dashboard import connect, health, home, practice, problem_pages, signin

urlpatterns = [
    path("", home.home, name="home"),
    path("favicon.ico", home.icon),
    path("view/", home.keep_view, name="view"),
    path("calls/practice/", practice.start, name="practice"),
    path("login/", signin.SignIn.as_view(), name="login"),
    path("logout/", signin.sign_out, name="logout"),
    re_path(r"^webhooks/telnyx/?$", intake.webhook, name="webhook"),
    path("admin/login/", signin.admin_sign_in),
    path("admin/logout/", signin.sign_out),
    path("admin/", admin.site.urls),
    path("", include(health.urlpatterns)),
    path("", include(problem_pages.urlpatterns)),
    path("", include(connect.urlpatterns)),
    path("", include("calls.urls")),
    path("", include("calls.pages.urls")),
    path("recordings/", include("recordings.urls")),
]

handler500 = "dashboard.broken.page"
