"""What no other test sees: imports point one way, and a checkout works on any machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "access": set(),
    "calls": {"access"},
    "recordings": {"access", "calls"},
    "dashboard": {"access", "calls", "recordings"},
    "simulator": set(),
}
ENTRIES = {
    *MAY_IMPORT,
    *("manage.py", "pyproject.toml", "requirements.txt", "requirements-dev.txt", "Makefile"),
    *("Procfile", "README.md", "CHANGELOG.md", "LICENSE", "Dockerfile", "docker-compose.yml"),
    *("docs", "templates", "static", "tests", ".ci"),
    *(".gitignore", ".dockerignore", ".editorconfig"),
}
NOT_PORTABLE = re.compile(
    r"/(root|home|Users|work)/[\w.]|\.pyenv|index[-_]url\s*=|pypi\.org|pythonhosted\.org|npmjs\.org"
)


def imports(source, package):
    """Return the dotted names that a module imports, also inside functions and type checks."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def modules(*packages):
    """Return (file, dotted name, imported dotted name) of every import in these packages."""
    for package in packages:
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            for imported in imports(file.read_text(encoding="utf-8"), list(parts[:-1])):
                yield str(file.relative_to(ROOT)), ".".join(parts), imported


def top(name):
    return name.partition(".")[0]


def entries():
    """Return the paths of this checkout that git tracks, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_reader_of_imports_sees_every_kind():
    source = """
import calls.models
from calls import fold
from . import views
from ..access import audit
def later():
    import recordings.fetch
if TYPE_CHECKING:
    from dashboard.settings import X
"""
    assert set(imports(source, ["calls", "telnyx"])) == {
        "calls.models",
        "calls.fold",
        "calls.telnyx.views",
        "calls.access.audit",
        "recordings.fetch",
        "dashboard.settings.X",
    }


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package):
    allowed = MAY_IMPORT[package] | {package}
    forbidden = {*MAY_IMPORT, "tests", "manage"} - allowed
    assert [
        f"{file} imports {imported}"
        for file, _, imported in modules(package)
        if top(imported) in forbidden
    ] == []


def test_the_client_of_telnyx_and_the_fold_import_nothing_of_ours():
    def is_pure(module):
        return module == "calls.fold" or module.startswith("calls.telnyx")

    wrong = [
        f"{file} imports {imported}"
        for file, module, imported in modules("calls")
        if is_pure(module)
        and top(imported) in {*MAY_IMPORT, "django", "celery", "redis"}
        and not (module.startswith("calls.telnyx") and imported.startswith("calls.telnyx"))
    ]
    assert wrong == []


def test_nobody_imports_tasks_because_work_is_rung_by_name():
    wrong = [
        f"{file} imports {imported}"
        for file, _, imported in modules(*MAY_IMPORT)
        if re.match(r"(calls|recordings)\.tasks\b", imported)
    ]
    assert wrong == []


def test_every_top_level_entry_has_a_name_in_the_design():
    assert {path.parts[0] for path in entries()} - ENTRIES == set()


def test_no_file_names_a_machine_or_a_package_registry():
    wrong = []
    for path in entries():
        if path == Path(__file__).relative_to(ROOT):
            continue
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a sound
        wrong += [f"{path}: {match[0]}" for match in NOT_PORTABLE.finditer(text)]
    assert wrong == []


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_every_locked_package_has_hashes_and_no_address(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    packages = [block for block in re.split(r"\n(?=\w)", text) if block.strip()]
    assert len(packages) > 20
    assert [
        block for block in packages if "==" not in block or "--hash=sha256:" not in block
    ] == []
    assert "://" not in text
