"""Colours and type of the page, of figures and of outlines on pictures, in one place."""

from markupsafe import Markup

from cisdl_bench.pair_picture import OUTLINE

#: Okabe and Ito's colours, which the colour-blind can tell apart; one for each method, in order.
#: The black of theirs is the ink, so that it shows on a dark page.
INK = "#1d1d1b"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", INK, "#8c8c86")

#: Outlines on pictures, over a halo: sky blue is the truth, orange what a method found.
TRUTH, FOUND, HALO = "#" + bytes(OUTLINE).hex(), "#e69f00", "#000000"

SOFT, LINE, PAPER = "#64645f", "#d6d5d0", "#fefefe"

#: Families of type, the first that is installed is taken.
FONTS = ("Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans")

#: Colours of the page by the names of its style sheet, light and dark.
_LIGHT = {"ink": INK, "soft": SOFT, "line": LINE, "paper": PAPER}
_LIGHT |= {"panel": "#f6f6f3", "link": "#005a8c"}
_DARK = {"ink": "#e9e8e4", "soft": "#a5a49e", "line": "#3d3f43", "paper": "#16181b"}
_DARK |= {"panel": "#202327", "link": "#7cc4f0", "method-0": "#3f9fdc"}


def rgb(colour: str) -> tuple[int, int, int]:
    """Return a colour's red, green and blue.

    >>> rgb("#56b4e9")
    (86, 180, 233)
    """
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def style_variables() -> Markup:
    """Return the variables of the page's style sheet."""
    families = ", ".join(f'"{name}"' for name in FONTS)
    fixed = {"truth": TRUTH, "found": FOUND, "halo": HALO, "type": f"{families}, sans-serif"}
    methods = {f"method-{k}": colour for k, colour in enumerate(COLOURS)}
    light = _declare(_LIGHT | fixed | methods | {"method-6": "var(--ink)"})
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_declare(_DARK)} }} }}"
    return Markup(f":root {{ color-scheme: light dark; {light} }}\n{dark}")  # noqa: S704


def _declare(values: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in values.items())
