from django.urls import include, path

from calls.pages import contacts, endpoints, neighbours, notices

NEIGHBOURS = [
    path("", neighbours.neighbours, name="list"),
    path("<int:pk>/", neighbours.change, name="change"),
    path("<int:pk>/act/", neighbours.act, name="act"),
]
ENDPOINTS = [
    path("", endpoints.endpoints, name="list"),
    path("<int:pk>/", endpoints.endpoint, name="detail"),
    path("<int:pk>/act/", endpoints.act, name="act"),
    path("deliveries/<int:pk>/resend/", endpoints.resend, name="resend"),
]
NOTICES = [
    path("", notices.notices, name="list"),
    path("read/", notices.read, name="read"),
    path("choices/", notices.choices, name="choices"),
    path("bell/", notices.bell, name="bell"),
]
CONTACTS = [
    path("", contacts.contacts, name="list"),
    path("<int:pk>/", contacts.contact, name="detail"),
    path("<int:pk>/delete/", contacts.delete, name="delete"),
    path("import/", contacts.read, name="import"),
    path("import/<uuid:pk>/", contacts.keep, name="keep"),
    path("contacts.csv", contacts.export, name="export"),
]

urlpatterns = [
    path("neighbours/", include((NEIGHBOURS, "neighbours"))),
    path("endpoints/", include((ENDPOINTS, "endpoints"))),
    path("notices/", include((NOTICES, "notices"))),
    path("contacts/", include((CONTACTS, "contacts"))),
]
