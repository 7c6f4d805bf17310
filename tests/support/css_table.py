"""Stylesheets as they come and as they leave, as tables."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from app.wire.pages.css import StylesheetRewriter
from app.wire.pages.links import Links

PROXIED = b"/proxy/https://host"
PAGE = "https://host/page"


def rewritten(sheet: bytes, cuts: Iterable[int] = (), encoding: str = "utf-8") -> bytes:
    """The sheet, fed in the pieces that end at `cuts`."""
    rewriter = StylesheetRewriter(Links(PAGE, "/proxy/"), encoding)
    edges = [0, *cuts, len(sheet)]
    pieces = [rewriter.feed(sheet[start:end]) for start, end in pairwise(edges)]
    return b"".join(pieces) + rewriter.finish()


# In these « stands for what is put before a rewritten address.
REWRITTEN = [
    # url(), without quotes
    (r"a{b:url(/x)}", r"a{b:url(«/x)}"),
    (r"a{b:URL(/x),Url(/y)}", r"a{b:URL(«/x),Url(«/y)}"),
    ("url( \t\n/x \r\n)", "url( \t\n«/x \r\n)"),
    (r"url(/x?a=b&c;{d}[e]@f!g)", r"url(«/x?a=b&c;{d}[e]@f!g)"),
    (r"url(/*/x*/)", r"url(«/*/x*/)"),
    (r"url(\2f x)", r"url(«/x)"),
    (r"url(\2fx)", r"url(«/x)"),
    ("url(\\00002Fx)", "url(«/x)"),
    ("url(\\2f\r\nx)", r"url(«/x)"),
    (r"url(\/x\)y\ z)", r"url(«/x\29 y\20 z)"),
    (r"url(/\e9)", "url(«/é)"),
    (r"url(/\0\d800\110000)", "url(«/���)"),
    (r"url(/\3c/style\3e)", r"url(«/\3c /style>)"),
    ("url(/a\0b)", "url(«/a�b)"),
    ("url(/中)", "url(«/中)"),
    # url(), with quotes
    (r"""url("/x")""", r"""url("«/x")"""),
    (r"""url( '/x' )""", r"""url( '«/x' )"""),
    (r"""url("/a b(c)d'e")""", r"""url("«/a b(c)d'e")"""),
    (r"""url("/x" foo("/y") "/z")""", r"""url("«/x" foo("/y") "/z")"""),
    (r"""url("/\"\27 ")""", r"""url("«/\22 '")"""),
    (r"""url('/\22\'\c ')""", r"""url('«/"\27 \c ')"""),
    (r"""url("/a\5c b\a c")""", r"""url("«/a/bc")"""),
    ("url('/a\\\nb\\\r\nc')", "url('«/abc')"),
    # the function's name, escaped
    (r"\75rl(/x)", r"\75rl(«/x)"),
    (r"u\72 l(/x)", r"u\72 l(«/x)"),
    (r"ur\00006C(/x)", r"ur\00006C(«/x)"),
    (r"\u\r\l('/x')", r"\u\r\l('«/x')"),
    # src()
    (r"src('/x')", r"src('«/x')"),
    (r"SRC(/**/ '/x' '/y')", r"SRC(/**/ '«/x' '/y')"),
    # @import
    (r"@import '/x';", r"@import '«/x';"),
    (r"@IMPORT/**/'/x'", r"@IMPORT/**/'«/x'"),
    (r"@import url(/x) layer(a) supports(b:'/y') screen;", r"@import url(«/x) layer(a) supports(b:'/y') screen;"),
    (r"@import'/x'layer;@import /*a*/ /*b*/ src('/y')", r"@import'«/x'layer;@import /*a*/ /*b*/ src('«/y')"),
    (r"@\69mport '/x'", r"@\69mport '«/x'"),
    (r"@im\70 ort '/x'", r"@im\70 ort '«/x'"),
    (r"@\import '/x'", r"@\import '«/x'"),
    (r"@charset '/x';@import '/y'", r"@charset '/x';@import '«/y'"),
    (r"<!--@import '/x';-->url(/y)", r"<!--@import '«/x';-->url(«/y)"),
    # image-set()
    (r"image-set('/x' 1x,'/y' 2x)", r"image-set('«/x' 1x,'«/y' 2x)"),
    (r"-webkit-image-set(url(/x) 1x,url('/y') 2x)", r"-webkit-image-set(url(«/x) 1x,url('«/y') 2x)"),
    (r"image-set('/x'type('/y'),'/z')'/t'", r"image-set('«/x'type('/y'),'«/z')'/t'"),
    (r"image-set(url('/x') '/y' ['/z' ) ] '/u')'/v'", r"image-set(url('«/x') '«/y' ['/z' ) ] '«/u')'/v'"),
    (r"image-set(/*'/x')*/'/y'", r"image-set(/*'/x')*/'«/y'"),
    (r"image-set(image-set('/x'),(';'),'/y')", r"image-set(image-set('«/x'),(';'),'«/y')"),
    (r"image('/x')", r"image('«/x')"),
    (r"cross-fade(url(/x),'/y')", r"cross-fade(url(«/x),'/y')"),
    # what comes before and behind
    (r"1.url(/x)+url(/y)", r"1.url(«/x)+url(«/y)"),
    (r"a/url(/x)/**/url(/y)/", r"a/url(«/x)/**/url(«/y)/"),
    (r"@namespace a url(/x);b{c:url(/y)}", r"@namespace a url(/x);b{c:url(«/y)}"),
    (r"@namespace '/x'{}url(/y)", r"@namespace '/x'{}url(«/y)"),
    (r"url(a b)url(/x)", r"url(a b)url(«/x)"),
    ("'\n;url(/x)", "'\n;url(«/x)"),
    (r".a\:b\/c{d:url(/x)}", r".a\:b\/c{d:url(«/x)}"),
    # cut off by the sheet's end
    (r"url(/x", r"url(«/x"),
    (r"url('/x", r"url('«/x"),
    (r"@import '/x", r"@import '«/x"),
    (r"url(/\61", r"url(«/a"),
]
STAYS = [
    r"""content:'/x' "url(/x)" """,
    r"/*url(/x)*/",
    r"/*url(/x)",
    r"/**/ /*/url(/x)*/",
    r'@charset "/x";',
    r"@namespace url(/x);",
    r"@NAMESPACE/**/a'/x'",
    r"@n\61mespace url('/x')",
    r"@namespace src('/x') image-set('/y');",
    r"aurl(/x) -url(/x) _url(/x) 3url(/x) \61 url(/x) \:url(/x) a\:url(/x)",
    r"@import\(url(/x)",
    "@import('/x')",
    "'\\75\nurl(/x)'",
    "image-set(@namespace '/x'",
    r"@url(/x) #url(/x) #\75rl(/x) @\75rl(/x)",
    "éurl(/x)",
    r"url (/x) url/**/(/x) urlx(/x)",
    r"ur\l\6c(/x)",
    # bad ones, which make their declaration void
    r"url(/x y)",
    r"url(/x y\\)",
    "url(\\\n",
    r"url(/x'y)",
    r"url(/x(y)",
    r"url(/x\)y z)",
    "url(/x\x01)",
    "url(/x\\\ny)",
    "url('/x\n')",
    "@import '/x\n'",
    r"url(/**/'/x')",
    # relative and empty ones
    r"url(x) url('x') url() url('')",
    r"url(\78)",
    "url(#a) src() src(var(--a)'/x') @import",
    "@importx '/x' @import a '/x' @-import '/x' @import{'/x'}",
    r"\\",
    "a\\",
    "\\\n",
    "/",
    "@",
    "#",
]
FRAGMENTS = [
    *"\"'()[]{};:,/*\\@#-<>! \t\n\r\f\0\x01",
    *"a 3 6 é ソ . % + ! /* */ // /x /y) url( URL( src( image-set( type( image( @import @namespace @media".split(" "),
    *r"\75 u\72 \6 \2f \" \' \( \) url url(/x) url('/x') '/x' :/ ; \0 u r l ( i s".split(" "),
    "\\\n",
    "\\\r\n",
]
