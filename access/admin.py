"""The admin site is the operators' room; evidence there can be read and not changed."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from access.models import AuditRow
from access.policies import Right, may

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:  # Django's class takes no type argument when the program runs
    ModelAdmin = admin.ModelAdmin


class Operated(ModelAdmin):
    """Rows that operators may see and change."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.OPERATE)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Right.OPERATE)

    has_add_permission = has_change_permission = has_delete_permission = has_view_permission


class Evidence(Operated):
    """Rows that nobody may add, change or delete by hand."""

    show_full_result_count = False  # COUNT(*) over millions of rows for a number nobody reads

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(AuditRow)
class AuditRowAdmin(Evidence):
    list_display = ["at", "name", "verb", "subject"]
    list_filter = ["verb", "at"]
    search_fields = ["name", "subject"]
    list_select_related = ["who"]


admin.site.site_header = admin.site.site_title = "Tapeline"
admin.site.index_title = "Operations"
admin.site.unregister(User)
admin.site.unregister(Group)


class Granted(Operated):
    """Accounts and roles: operators see them; who may change them has every right anyway."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(User)
class PeopleAdmin(Granted, UserAdmin):  # type: ignore[type-arg]
    list_display = ["username", "first_name", "last_name", "is_active", "last_login"]
    list_filter = ["groups", "is_active"]


@admin.register(Group)
class RolesAdmin(Granted, GroupAdmin):
    pass
