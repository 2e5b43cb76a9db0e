"""HTML from the templates in ``report/templates``; every value is escaped."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("cisdl_bench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_html(template: str, **values: Any) -> str:
    """Return a template's HTML.

    Args:
        template: Name of the file in ``report/templates``.
        **values: Values by the names that the template has for them.
    """
    return _environment().get_template(template).render(**values)


def read_own_text(name: str) -> Markup:
    """Return a file of ``report/templates`` that goes into a page as it is."""
    return Markup((files("cisdl_bench.report") / "templates" / name).read_text("utf-8"))  # noqa: S704
