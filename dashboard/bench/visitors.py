"""Signs people in on the database of a stage: prints {role: cookie}; `python -m` it there."""

import json
import os
import sys

ROLES = ("supervisor", "reviewer")


def main() -> None:
    """Make one person per role, and a session each."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import Group, User
    from django.test import Client

    cookies = {}
    for role in ROLES:
        person = User.objects.create_user(role)
        person.groups.add(Group.objects.get_or_create(name=role)[0])
        browser = Client()
        browser.force_login(person)
        name = settings.SESSION_COOKIE_NAME
        cookies[role] = f"{name}={browser.cookies[name].value}"
    json.dump(cookies, sys.stdout)


if __name__ == "__main__":
    main()
