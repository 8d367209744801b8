from django.urls import path

from recordings.views import comments, corrections, files, library, notes, review, transcript

app_name = "recordings"
urlpatterns = [
    path("", library.library, name="list"),
    path("<uuid:pk>/", review.detail, name="detail"),
    path("<uuid:pk>/timeline.json", review.facts, name="timeline"),
    path("<uuid:pk>/position", review.position, name="position"),
    path("<uuid:pk>/delete", review.delete, name="delete"),
    path("<uuid:pk>/audio", files.sound, name="audio"),
    path("<uuid:pk>/peaks", files.waveform, name="peaks"),
    path("<uuid:pk>/transcript.<slug:kind>", transcript.transcript, name="transcript"),
    path("<uuid:pk>/notes", notes.section, name="notes"),
    path("<uuid:pk>/tag", notes.tag, name="tag"),
    path("<uuid:pk>/untag", notes.untag, name="untag"),
    path("<uuid:pk>/flag", notes.flag, name="flag"),
    path("<uuid:pk>/unflag", notes.unflag, name="unflag"),
    path("<uuid:pk>/review", notes.review, name="review"),
    path("<uuid:pk>/unreview", notes.unreview, name="unreview"),
    path("<uuid:pk>/comments", comments.write, name="comment"),
    path("<uuid:pk>/comments/<uuid:comment_pk>/answer", comments.answer, name="answer-comment"),
    path("<uuid:pk>/comments/<uuid:comment_pk>/edit", comments.edit, name="edit-comment"),
    path("<uuid:pk>/comments/<uuid:comment_pk>/delete", comments.delete, name="delete-comment"),
    path("<uuid:pk>/comments/<uuid:comment_pk>/resolve", comments.resolve, name="resolve-comment"),
    path("<uuid:pk>/comments/<uuid:comment_pk>/reopen", comments.reopen, name="reopen-comment"),
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
