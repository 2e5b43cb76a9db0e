"""A figure as an SVG element of the page: in the page's type and colours, dark or light."""

import io
import re
import warnings
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from cisdl_bench.report.drawing import styled
from cisdl_bench.report.palette import COLOURS, INK, LINE, PAPER, SOFT

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_FAMILY = re.compile(r"font-family: [^;]*(; )?")
_BROAD = 600  # px: wider ones scroll on a phone
_PX = 96 / 72  # of a point
#: Colours that are the page's variables.
_VARIABLES = {
    **{colour: f"var(--method-{k})" for k, colour in enumerate(COLOURS)},
    INK: "currentColor",
    SOFT: "var(--soft)",
    LINE: "var(--line)",
    PAPER: "var(--paper)",
}


def inline_svg(figure: Any, name: str, label: str) -> Markup:
    """Return a figure as an ``svg`` element.

    Texts stay texts, so that they are in the page's type and can be searched; colours are the style
    sheet's variables; ids are unique in the page.

    Args:
        figure: A matplotlib figure.
        name: Word that no other figure of the page has.
        label: Description of the figure for screen readers.
    """
    from matplotlib import rc_context

    buffer = io.BytesIO()
    none = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with styled(), rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(buffer, format="svg", transparent=True, metadata=none)
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 - matplotlib's own
    width, height = (float(part) * _PX for part in root.attrib["viewBox"].split()[2:])
    _adopt(root, name)
    root.attrib = {
        "class": "broad" if width > _BROAD else "narrow",
        "viewBox": root.attrib["viewBox"],
        "width": f"{width:.0f}",
        "height": f"{height:.0f}",
        "role": "img",
        "aria-label": label,
    }
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704


def _adopt(root: ElementTree.Element, name: str) -> None:
    """Remove what the page does not need; rename ids; replace colours and type."""
    for parent in root.iter():
        for child in [c for c in parent if c.tag in (f"{_SVG}metadata", f"{_SVG}style")]:
            parent.remove(child)
    text = ElementTree.tostring(root, encoding="unicode")
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        if element.get("id") in used:
            element.set("id", f"{name}-{element.get('id')}")
        else:
            element.attrib.pop("id", None)
        link = element.attrib.pop(_LINK, None)
        if link:
            element.set("href", link.replace("#", f"#{name}-") if link.startswith("#") else link)
        for key in ("clip-path", "style"):
            if key in element.attrib:
                value = element.attrib[key].replace("url(#", f"url(#{name}-")
                element.set(key, _restyle(value))


def _restyle(value: str) -> str:
    """Return a style with the page's colours, and without a family of type.

    >>> _restyle("font-size: 9px; font-family: 'Arial', sans-serif; fill: #1d1d1b")
    'font-size: 9px; fill: currentColor'
    """
    for colour, variable in _VARIABLES.items():
        value = value.replace(colour, variable)
    return _FAMILY.sub("", value)
