"""How the documentation is built: ``sphinx-build -W docs build/docs``."""

from importlib.metadata import version as installed

project = "cisdl-bench"
author = "The cisdl-bench authors"
release = installed("cisdl-bench")
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
html_theme = "furo"
html_title = f"cisdl-bench {release}"
templates_path: list[str] = []
exclude_patterns: list[str] = []
myst_heading_anchors = 3
autodoc_default_options = {"members": True, "member-order": "bysource", "no-value": True}
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
suppress_warnings = ["ref.python"]  # a name that several classes have, such as ``name``
