from django.urls import path

from recordings.views import corrections, files, library, review, transcript

app_name = "recordings"
urlpatterns = [
    path("", library.library, name="list"),
    path("<uuid:pk>/", review.detail, name="detail"),
    path("<uuid:pk>/audio", files.sound, name="audio"),
    path("<uuid:pk>/peaks", files.waveform, name="peaks"),
    path("<uuid:pk>/transcript.<slug:kind>", transcript.transcript, name="transcript"),
    path("<uuid:pk>/transcript/", transcript.part, name="said"),
    path("<uuid:pk>/transcript/ask", corrections.inquire, name="inquire"),
    path("<uuid:pk>/transcript/swap", corrections.swap, name="swap"),
    path("<uuid:pk>/transcript/<int:text>/retry", corrections.retry, name="retry"),
    path("<uuid:pk>/transcript/<int:text>/history/", corrections.history, name="history"),
    path(
        "<uuid:pk>/transcript/<int:text>/history/<int:number>/restore",
        corrections.restore,
        name="restore",
    ),
    path("<uuid:pk>/transcript/<int:text>/<int:number>/", corrections.correct, name="correct"),
]
