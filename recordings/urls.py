from django.urls import path

from recordings import views

app_name = "recordings"
urlpatterns = [
    path("", views.library, name="list"),
    path("<uuid:pk>/", views.detail, name="detail"),
    path("<uuid:pk>/audio", views.sound, name="audio"),
    path("<uuid:pk>/peaks", views.waveform, name="peaks"),
    path("<uuid:pk>/transcript.<slug:kind>", views.transcript, name="transcript"),
]
