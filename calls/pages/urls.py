from django.urls import include, path

from calls.pages import contacts, neighbours

NEIGHBOURS = [
    path("", neighbours.neighbours, name="list"),
    path("<int:pk>/", neighbours.change, name="change"),
    path("<int:pk>/act/", neighbours.act, name="act"),
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
    path("contacts/", include((CONTACTS, "contacts"))),
]
