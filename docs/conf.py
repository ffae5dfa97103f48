"""How Sphinx builds the documentation; `make docs` does it. Nothing here needs a network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

from ig4.core.version import __version__  # noqa: E402 - after the path is set

project = "ig4"
author = "The ig4 authors"
copyright = author  # noqa: A001 - Sphinx's name for it
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "ig4site"]
exclude_patterns = ["_ext", "_static", "screens", "**/.ipynb_checkpoints"]
source_suffix = {".md": "markdown"}

# Where the repository is, if it is published: links to source files then lead there.
ig4_repository = os.environ.get("IG4_REPOSITORY", "")

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
default_role = "code"  # docstrings write names in single backticks

nitpicky = True
nitpick_ignore_regex = [
    # Names of other packages and of the standard library, and names that a module imports for
    # types alone: resolving them would need inventories from the network.
    (r"py:.*", r"(?!ig4\.).*"),
    # Parts of results, and what only the engine hands to a component: their fields say enough.
    (r"py:class", r"ig4\.core\.(engine|calls|statistics|host|files|api)\..*"),
    (r"py:class", r"ig4\.core\.contracts\.(executor\.(T|R|Work)|pool\.PoolData)"),
]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
autodoc_inherit_docstrings = True
python_maximum_signature_line_length = 88
toc_object_entries = False  # each name has a heading already
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"ig4 {release}"
html_static_path = ["_static"]
html_css_files = ["ig4.css"]
html_js_files = ["copy.js"]
html_copy_source = False
html_show_search_summary = False  # it cannot be read from a disk, only from a server
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {"color-brand-primary": "#0b5f8a", "color-brand-content": "#0b5f8a"},
    "dark_css_variables": {"color-brand-primary": "#7cc7ee", "color-brand-content": "#7cc7ee"},
}
