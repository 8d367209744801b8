"""Sign in and out: throttled per person and address, and both on the audit trail."""

from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from access import audit
from access.models import AuditRow
from calls.views import htmx

REFUSED = "sign-in refused"
MOST_TRIES = 5
WITHIN = timedelta(minutes=15)
THROTTLED = "Too many failed tries for this name from this address: wait 15 minutes."


def address(request: HttpRequest) -> str:
    """Return where a request comes from; behind our HTTPS proxy, the address it added last."""
    forwarded = request.headers.get("X-Forwarded-For", "")
    if settings.HTTPS and forwarded:
        return forwarded.rsplit(",", 1)[-1].strip()[:45]
    return str(request.META.get("REMOTE_ADDR", ""))


class SignInForm(AuthenticationForm):
    """Asks for a password only while there were few wrong ones."""

    def clean(self) -> dict[str, Any]:
        tried = f"{address(cast('HttpRequest', self.request))} {self.cleaned_data.get('username')}"
        recent = AuditRow.objects.filter(
            verb=REFUSED, subject=tried[:120], at__gt=timezone.now() - WITHIN
        )
        if recent.count() >= MOST_TRIES:
            raise ValidationError(THROTTLED, code="throttled")
        try:
            return super().clean()
        except ValidationError:
            audit.record(None, REFUSED, tried)
            raise


@method_decorator([login_not_required, sensitive_post_parameters("password")], name="dispatch")
class SignIn(LoginView):
    """The page at /login/."""

    template_name = "login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        asked = htmx(request)
        if asked:  # the session ended: the whole page must go to the sign-in, not a part of it
            back = urlencode({"next": asked.current_url_abs_path or "/"})
            return HttpResponse(headers={"HX-Redirect": f"{resolve_url('login')}?{back}"})
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponseRedirect:
        response = cast("HttpResponseRedirect", super().form_valid(form))
        audit.record(form.get_user(), "signed in", f"from {address(self.request)}")
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        if form.has_error("__all__", "throttled"):
            response.status_code = 429
        return response


@login_not_required
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    if request.user.is_authenticated:
        audit.record(request.user, "signed out", f"from {address(request)}")
    logout(request)
    return redirect("login")


@login_not_required
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Send the admin site's own sign-in to ours, which is throttled and audited."""
    if request.user.is_authenticated:
        raise PermissionDenied("Your account may not operate the desk.")
    return redirect(f"{resolve_url('login')}?{urlencode({'next': request.GET.get('next', '/')})}")
