"""What a page looks like behind the proxy, as a table; and that no cut of its bytes makes a difference.

In the table `«new»` is inserted and `«old→new»` replaced; `¶` stands for the prefix, `§` for the prefix and the site's
own address. All that is not marked stays, byte for byte.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.wire.pages.attributes import MAX_ATTRIBUTE_BYTES
from app.wire.pages.html import PageRewriter
from app.wire.pages.links import Links

PAGE = "https://site.example/dir/page?q"
SCRIPT = b"[script]"
MARK = re.compile(r"«(?:([^«»→]*)→)?([^«»]*)»")

TABLE: dict[str, dict[str, str]] = {
    "links": {
        "absolute": '<a href="«¶»https://other.example/x?a=1#f">',
        "without a scheme": '<a href="«¶https:»//other.example/x">',
        "without a host": '<a href="«§»/x">',
        "of the site's root": '<a href="«§»/">',
        "below the site's root": '<a href="x"><a href="./x"><a href="../x"><a href="?x"><a href=""><a href>',
        "too high": '<a href="«../../x→§/x»">',
        "within the page": '<a href="#https://other.example/">',
        "of other kinds": (
            '<a href="mailto:a@b"><a href="javascript:go(\'/x\')"><img src="data:image/png;base64,/x//y=">'
        ),
        "with a port": '<a href="«¶»http://other.example:8080/">',
        "in odd spellings": r'<a href="«\\other\x→¶https://other/x»"><a href="«HTTPS://Other/→¶https://other/»">',
        "with blanks around": '<a href="« https://other.example/ →¶https://other.example/»">',
        "with a line break": '<a href="«https://other.exa\nmple/→¶https://other.example/»">',
        "with other characters": (
            '<a href="«¶»https://other.example/é?ü"><a href="«https://ü.example→¶https://xn--tda.example/»">'
        ),
        "of a hidden file": '<a href="«§»/.well-known/x"><a href=".x">',
    },
    "attributes": {
        "that hold addresses": (
            '<form action="«§»/x"><button formaction="«§»/x"><video poster="«§»/x" src="«§»/x"><q cite="«§»/x">'
            '<img longdesc="«§»/x" lowsrc="«§»/x" dynsrc="«§»/x"><body background="«§»/x"><html manifest="«§»/x">'
            '<object data="«§»/x" codebase="«§»/x"></object><embed src="«§»/x"><area href="«§»/x"><frame src="«§»/x">'
            '<track src="«§»/x"><source src="«§»/x">'
            '<input type=image src="«§»/x">«[script]»<script src="«§»/x"></script>'
        ),
        "of links": (
            '<link rel=icon href="«§»/x"><link rel=preload as=image imagesrcset="«§»/x 2x">'
            "<link rel=canonical href=«§»/>"
            '<LINK REL=alternate HREF="«§»/feed" type=application/rss+xml><link rel=preconnect href="«¶https:»//x">'
        ),
        "that hold several": '<a ping="«§»/x  «¶»https://a/b\ty" href=x><img attributionsrc="«§»/a «§»/b">',
        "that hold none": (
            '<p title="/x" alt="https://a/" value=/x data-href="/x" id=/x class="/x" srcs=/x hrefs="/x" data="/x">'
            '<input value="<a href=/x>"><a download="/x" target=/x rel="/x" hreflang=/x><param name=movie value="/x">'
            '<map name=/x><img usemap="/x"><meta name=og:image content="/x"><div itemtype="https://schema.org/X">'
        ),
        "srcset": (
            '<img srcset="«§»/a.png 1x, «¶»https://a/b,c.png 2x,c.png 3x"><source srcset="data:x,/y 1x, «§»/z">'
        ),
        "srcset of one kind": (
            '<img srcset="«§»/a.png 1x, «§»/b/c@2x.png?d=/e 1.5x,\n   «§»/f"><img srcset="«§»/a, «§»/b 480w 300h">'
            '<img srcset="«¶»https://a.b/c 1x, «¶»http://d:8080/e.png 2x, «¶»https://f 3x">'
            '<img srcset="«¶https:»//a/b 1x, «¶https:»//c/d.png 2x"><img srcset="a.png 1x, b/c.png 2x">'
        ),
        "srcset of several": (
            '<img srcset="«§»/a 1x, «¶https:»//b/c 2x"><img srcset="«¶https:»//b/c 2x, «§»/a">'
            '<img srcset="«§»/a, b /c">'
            '<img srcset="«¶»http://a/b 1x, «§»/c http, «¶»http://d">'
        ),
        "srcset with odd blanks": (
            '<img srcset=" «§»/a 1x , «§»/b 2x "><img srcset="«§»/a 1x,«§»/b 2x">'
            '<img srcset="«§»/a\t1x,\t«§»/b 2x,\f«§»/c">'
            '<img srcset="«§»/a  1x,  «§»/b\n2x"><img srcset="«§»/a 1x, \n«§»/b">'
        ),
        "srcset with odd commas": (
            '<img srcset=",, «§»/a 1x, , «§»/b,, «§»/c,"><img srcset="«§»/a,/b 1x, «§»/c,/d"><img srcset=",">'
            '<img srcset="">'
            '<img srcset="«§»/a 1x,, «§»/b 2x, "><img srcset="«§»/a, «§»/b, ">'
        ),
        "srcset with parentheses": (
            '<img srcset="«§»/a (1x, /b) 2x, «§»/c"><img srcset="«§»/a(1, «§»/b) 2x">'
            '<img srcset="«§»/a 1x, «§»/b (, /c"><img srcset="«§»/a_(b) 1x, «§»/c)( 2x">'
        ),
        "srcset with odd paths": (
            '<img srcset="«/..//b→§//b» 1x, «§»/c"><img srcset="«/a/. 2x→§/a/ 2x», «§»/c">'
            '<img srcset="«/%2e%2E/x→§/x» 1x">'
            '<img srcset="«§»/a..b/.c 1x"><img srcset="«§»/a%20b 1x, «§»/%41">'
            '<img srcset="/\\\\ 1x, https://a:8x 1x, «§»/b">'
            '<img srcset="«HTTPS://A/→¶https://a/» 1x, «¶»https://b/"><img srcset="«§»/a&amp;b 1x, «§»/c">'
        ),
        "srcset in other spellings": (
            "<img srcset='«§»/a 1x, «§»/b 2x'><img srcset=«§»/a>"
            '<IMG SRCSET="«§»/a 1x, «§»/b 2x"><img srcset = "«§»/a 1x, «§»/b 2x">'
        ),
        "of SVG": (
            '<svg><a xlink:href="«§»/x"/><use href="«§»/x#y"/><image HREF="«§»/x"/><script href="«§»/x"/>'
            '<set attributeName=href to="«§»/x"/><set attributeName=fill to="/x"/>'
            '<animate attributeName="xlink:href" values="#a;«§»/x;«¶»https://a/" from="«§»/x"/></svg>'
        ),
        "that are styles": (
            '<p style="color: red"><p style="background: url(«§»/x)"><p style=\'a: url("«§»/x")\'>'
            '<p style="background: url(&quot;«§»/x&quot;)"><rect fill="url(#a)" filter="url(«¶»https://a/b#c)">'
        ),
    },
    "runs": {
        "of pictures": (
            '<figure><a href="«§»/a"><img src="«§»/b.jpg" alt="A b" loading=lazy srcset="«§»/b 1x, «§»/c 2x"></a>'
            "</figure>"
            '\n<p class="d"><a id=e href="«§»/f?g#h" title="" data-x=y>i</a><br>k <a href="«§»/l" href="«§»/m"></p>n'
        ),
        "with slashes in text": (
            '<a href="«§»/a">b /c</a><a href="«§»/d"> /e</a> / <a href="«§»/f">"="/g</a><a href="«§»/h">="/i</a></p /j>'
            '<a href="«§»/k"></a /l><a href="«§»/m"></a ="/n"><a href="«§»/o"><p class=" /q"><p class=/q>'
            '<a href="«§»/r">'
        ),
        "with other slashes": (
            '<a href="«§»/a">b /c</a> / <a href="«§»/a" title="/x" alt=" /x"><a href="«§»/a">"x="/y" x=/y<br />'
            '<a href="«§»/a" />'
            '<a href="«§»/a"><a title="b /c" href="«§»/a"></a x="/y" /><a href="«§»/a"><img src="«§»/a" alt=/x>'
            '</a /x><p x="/y">'
        ),
        "with other addresses": (
            '<a href="«§»/a"><a href="b"><a href="/\\\\"><a href="«§»/a"><a href="«¶https:»//b">'
            '<img src="«§»/a" srcset=" «§»/b">'
            '<a href="«§»/a"><img src="data:/x /y"><a href="«§»/a"><a href="«/../b→§/b»"><a href="«§»/a">'
            '<a ping=" «§»/a  «§»/b">'
            '<a href="«§»/a b /c"><a href="«§»/a"><a href="«§»/a /b"><a href="«§»/a">'
            "<a href=\"«§»/b\" style='a:url(«§»/c)'>"
        ),
        "up to other elements": (
            '<a href="«§»/a"><title><a href="/x"></title><a href="«§»/a"><textarea><a href="/x"></textarea>'
            '<a href="«§»/a">'
            '<svg><a href="«§»/a"><title><a href="«§»/a"></title></svg><a href="«§»/a"><!-- <a href="/x"> -->'
            '<a href="«§»/a">'
            '<object data="«§»/a"></object><a href="«§»/a"><base href="«§»/sub/"><a href="«§»/a"><plaintext>'
            '<a href="/x">'
        ),
        "up to odd spellings": (
            '<a href="«§»/a"><a class="b"href="«§»/c"><a href="«§»/a"<b href="«§»/b"><a href="«§»/a"><b<i href="«§»/b">'
            '<a href="«§»/a"><a="/x" href="«§»/b"><a href="«§»/a"></a b="/x"><a href="«§»/a">'
            '<link rel=icon href="«§»/b">'
        ),
    },
    "spellings": {
        "of quotes": "<a href='«§»/x'><a href=«§»/x><a href=«§»/x/><a href=«§»/x\">",
        "of case": "<A HREF=«§»/x><iMg SrC='«§»/x'>",
        "of blanks": "<a\nhref\t=\r\n«§»/x\f><a  href = '«§»/x' ><a href=\n\"«§»/x\"\n>",
        "of slashes": "<a/href=«§»/x><img src='«§»/x'/><a / href=«§»/x>",
        "without blanks": '<a b="c"href=\'«§»/x\'d=e><img alt=\'\'src="«§»/x"srcset="«§»/y">',
        "twice": '<a href="«§»/x" href="«§»/y"><a href="x" HREF=\'«§»/y\'><a href href=«§»/y>',  # the first counts
        "with signs in other values": '<a b=">" href="«§»/x"><a b=\'">\' href=«§»/x><a b=">><a href=/y>" href=«§»/x>',
        "with an equals sign first": '<a ="x" href=«§»/x><a =href=/y><a b==href=/x>',
        "without a value": "<a href=><a href = ><a href >/x<a href/>",
        "with zero bytes": "<a \0href=/x><a b\0 href=«§»/x><a\0 href=«§»/x><\0a href=/x><a href=\0//x>",
        "of an end tag": '</a href="/x"><a href=«§»/x></a b=">/x" href=/y>',
        "of a name": "<abbr-x:y href=«§»/x><a<b href=«§»/x><h1 src=«§»/x>",
    },
    "character references": {
        "that stay": (
            '<a href="«§»/x?a=1&amp;b=2&copy=3&lt"><a href="x?a&amp;b"><a href="«¶»https://a/b&amp;c?d&#38;e">'
        ),
        "in place of signs": (
            '<a href="«¶»https&colon;&sol;&sol;other.example/">'
            '<a href="«§»&#x2f;x"><a href="«¶https:»&#47/other.example/">'
        ),
        "without a semicolon": '<a href="«§»/x?&copy=2"><a href="«§»&#47x"><a href="«&copy/../../../x→§/x»">',
        "that name no character": '<a href="«§»/x&nosuch;&#xfffffff;&#;&#x;">',
        "that are escaped anew": '<a href="«&Tab;../../x?a&amp;b&copy=2→§/x?a&amp;b&amp;copy=2»">',
        "for the quotes in use": (
            "<a href='«../../x?&#39;→§/x?%27»'><a style='b: «url(&#39;/x&#39;)→url(&#39;§/x&#39;)»'>"
        ),
        "that need quotes": '<img srcset=«/a&#32;1x,/b&#x20;2x→"§/a 1x,§/b 2x"»>',
        "in the way of a word": '<a href="https&colon&sol;&sol;x"><a href="java&Tab;script:x"><a href="#&sol;x">',
    },
    "text": {
        "is no tag": 'x href="/x" < a href=/x> <> <1 href=/x> <-a href=/x> << <<a href=«§»/x> a<b',
        "in comments": '<!-- <a href="/x"> --><!--><a href=«§»/x><!---><a href=«§»/x><!----><a href=«§»/x>',
        "in comments that end oddly": (
            "<!--a--!><a href=«§»/x><!-- a -- > b --!-> <a href=/x> --><!--a---><a href=«§»/x>"
        ),
        "in comments within comments": '<!-- <!-- <a href="/x"> --> <a href=«§»/x> -->',
        "in what is taken for comments": (
            '<!a "><a href=«§»/x>"><?a <b href="/x">?></ a href="/x"></1 href=/x></><!><a href=«§»/x>'
        ),
        "of the doctype": '<!DOCTYPE html PUBLIC "/x" "https://www.w3.org/TR/">\n<html><!doctype ">"><a href=«§»/x>',
        "in CDATA of HTML": '<![CDATA[ <a href="/x"> ]]> <![CDATA[ > <a href="«§»/x"> ]]>',
        "of a title": '<title><a href="/x"></title ><a href="«§»/x">',
        "of a textarea": '<textarea><a href="/x"></textareas></TEXTAREA\n><a href="«§»/x">',
        "that is raw": (
            '<xmp><a href="/x"></xmp><iframe src="«§»/y"><a href="/x"></iframe><noembed><a href="/x"></noembed>'
            '<noframes><a href="/x"></noframes><a href="«§»/x">'
        ),
        "that is plain": '<a href="«§»/x"><plaintext><a href="/x"></plaintext><a href="/x">',
        "that never ends": '<a href="«§»/x"><title><a href="/x">',
    },
    "scripts": {
        "keep their text": (
            '«[script]»<script>"<a href=\'/x\'>"</script><a href="«§»/x"><script>/* </scripts> */</script>'
        ),
        "keep their digests": '«[script]»<script src="«§»/x" integrity="sha256-x"></script>',
        "that hide an end tag": "«[script]»<script><!--<script></script><a href=/x>--></script><a href=«§»/x>",
        "that hide none": "«[script]»<script><!--</script><a href=«§»/x><script><!--><script></script><a href=«§»/x>",
        "that end a comment first": "«[script]»<script><!--<script>--></script><a href=«§»/x>",
        "that hide one and end": "«[script]»<script><!-- <script > </script/> </script><a href=«§»/x>",
        "of other case": "«[script]»<SCRIPT><!--<ScRiPt </sCrIpT\n</SCRIPT\t><a href=«§»/x>",
        "are preceded by ours once": '<p>«[script]»<script>1</script><script src="«§»/x"></script>',
        "that do not run": (
            "<template><script></script></template><noscript><script></script></noscript>«[script]»<script>"
        ),
        "none": "<p onclick=\"go('/x')\">",
    },
    "styles": {
        "are stylesheets": "<style>@import '«§»/x'; a { b: url(«§»/y) }</style><a href=«§»/x>",
        "that begin and end": "<style media=x>a{b:url(«§»/y)}</style\n><STYLE>b{c:url('«¶»https://x/')}</STYLE>",
        "that hold what is no tag": "<style>/* <a href='/x'> </styles> */ b{content:'</a href=\"/x\">'}</style>",
        "that end within": "<style>a{b:url(«§»/x</style><a href=«§»/x>",
    },
    "frames": {
        "with a page of their own": "<iframe srcdoc=\"<a href='«§»/x'>«&lt;→<»img src=x onerror=y>\"></iframe>",
        "with one that stays": '<iframe srcdoc="&lt;a href=x&gt;&copy=2"></iframe>',
        "within frames": "<iframe srcdoc='<iframe srcdoc=\"«&amp;lt;→<»img src=«§»/x>\">'></iframe>",
        "with a script": '<iframe srcdoc="«<script>1</script>→[script]<script>1</script>»"></iframe>',
    },
    "without scripts": {
        "links are links": '<noscript><img src="«§»/x"><style>a{b:url(«§»/x)}</style></noscript><a href="«§»/x">',
        "nothing hides the end": (
            '<noscript><!-- </noscript><a href="«§»/x"> --><noscript><a b="</noscript><a href=«§»/x>'
        ),
    },
    "SVG and MathML": {
        "have no raw text": (
            '<svg><title><a href="«§»/x"></title><script>"<a href=«§»/x>"</script></svg><title><a href="/x">'
        ),
        "have CDATA": (
            '<svg><![CDATA[ <a href="/x"> ]] > ]]><a href="«§»/x"></svg><math><![CDATA[<a href="/x">]]></math>'
        ),
        "have styles": "<svg><style>a{b:url(«§»/x)}<![CDATA[a{b:url(«§»/x)}]]><!-- url(/x) --></style>url(/x)</svg>",
        "have empty elements": '<svg/><![CDATA[><a href="«§»/x">]]><svg><style/>url(/x)</svg>',
        "may hold HTML": (
            '<svg><foreignObject><style>a{b:url("«§»/x")}</style><textarea><a href="/x"></textarea></foreignObject>'
            '<![CDATA[<a href="/x">]]></svg><math><mi><xmp><a href="/x"></xmp></mi><xmp><a href="«§»/x"></xmp></math>'
        ),
        "end with HTML": '<svg><path><div><![CDATA[><a href="«§»/x"><svg><p></p><xmp><a href="/x"></xmp>',
        "have links": '<math href="«§»/x"><mi xlink:href="«§»/x"></math>',
    },
    "the base": {
        "is proxied": '<base href="«§»/sub/"><a href="«§»/x"><a href="x"><a href="../x"><a href="«../../x→§/x»">',
        "may be elsewhere": (
            '<a href="«§»/x"><base href="«¶»http://o.example/a/"><a href="«¶http://o.example»/x"><a href="../x">'
        ),
        "changes the depth": (
            '<a href="../x"><base href="«§»/"><a href="«../x→§/x»"><base href=«§»/a/><a href="«../x→§/x»">'
        ),
        "counts once": '<base href="«¶https:»//o.example/"><base href="«§»/"><a href="«¶https://o.example»/x">',
        "counts if invalid": '<base href="https://["><base href="«¶»https://o.example/"><a href="«§»/x">',
        "without an address": (
            '<base target=/x><base href="«¶»https://o.example/" target="_top"><a href="«¶https://o.example»/x">'
        ),
        "relative": '<base href="sub/"><a href="../x"><a href="../../x"><a href="«../../../x→§/x»">',
        "in a comment": '<!-- <base href="https://o.example/"> --><a href="«§»/x">',
        "of SVG": '<svg><base href="«¶»https://o.example/"/></svg><a href="«§»/x">',
        "without scripts": '<noscript><base href="«¶»https://o.example/"></noscript><a href="«§»/x">',
        "of nothing we know": (
            '<base href="ftp://o.example/"><a href="/x"><a href="../../../x"><a href="«¶»http://x/">'
        ),
    },
    "meta": {
        "refresh": (
            '<meta http-equiv=refresh content="0; url=«§»/x">'
            "<META CONTENT=\"5;URL='«¶»https://a/'\" HTTP-EQUIV=Refresh>"
        ),
        "refresh in other spellings": (
            '<meta http-equiv="refresh" content=" 1.5 , «§»/x"><meta http-equiv=refresh content=0;«§»/x>'
            "<meta http-equiv=refresh content='0; url = \"«§»/x\" /y'><meta http-equiv=refresh content='.5 «§»/x'>"
            '<meta http-equiv=refresh content="0;url=«&#47;→§/»x"><meta http-equiv=refresh content="0;\'«§»/x\'">'
        ),
        "refresh to nowhere": (
            '<meta http-equiv=refresh content="5">'
            '<meta http-equiv=refresh content="x; url=/x"><meta content="0;url=/x">'
            '<meta http-equiv=refresh content="0 url">'
            '<meta http-equiv=refresh content="0x /x"><meta http-equiv=refresh>'
        ),
        "policy": (
            '<meta http-equiv="Content-Security-Policy" content="«x &#39;self&#39;→adapted &quot;x \'self\'&quot;»">'
            '<meta name=content-security-policy content="img-src x">'
        ),
        "others": '<meta charset=utf-8><meta http-equiv=content-type content="text/html; url=/x">',
    },
    "integrity": {
        "of stylesheets is dropped": (
            '<link rel="stylesheet" href="x"« integrity="sha256-x"→» crossorigin>'
            '<link« integrity=x→» rel="a StyleSheet">'
            "<link as=style«\nINTEGRITY='x'→» rel=preload href=«§»/x><link rel=stylesheet a=\"\"«integrity=x→»>"
        ),
        "in a run": '<a href="«§»/a"><link rel=stylesheet href="«§»/b"« integrity=x→»><a href="«§»/a">',
        "of others stays": '<link rel=modulepreload href=x integrity="sha256-x"><p integrity="x" rel=stylesheet>',
    },
}

CASES = [
    pytest.param(marked, id=f"{group}-{name}".replace(" ", "-"))
    for group, cases in TABLE.items()
    for name, marked in cases.items()
]


def policy(content: bytes) -> bytes:
    return b'adapted "' + content + b'"'


def rewriter(encoding: str = "utf-8") -> PageRewriter:
    return PageRewriter(Links(PAGE, "/proxy/"), encoding=encoding, script=SCRIPT, policy=policy)


def fed(pieces: list[bytes], encoding: str = "utf-8") -> bytes:
    page = rewriter(encoding)
    return b"".join([*map(page.feed, pieces), page.finish()])


def read(marked: str) -> tuple[bytes, bytes]:
    """What comes and what must leave."""
    expected = MARK.sub(r"\2", marked).replace("§", "/proxy/https://site.example").replace("¶", "/proxy/")
    return MARK.sub(lambda mark: mark[1] or "", marked).encode(), expected.encode()


def one_by_one(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


@pytest.mark.parametrize("marked", CASES)
def test_what_leaves(marked: str) -> None:
    """Each line of the table, whole."""
    given_page, expected = read(marked)
    assert fed([given_page]).decode() == expected.decode()


@pytest.mark.parametrize("marked", CASES)
def test_cuts_make_no_difference(marked: str) -> None:
    """Each line of the table, split at every place, and byte by byte."""
    given_page, expected = read(marked)
    assert fed(one_by_one(given_page)) == expected
    for index in range(1, len(given_page)):
        assert fed([given_page[:index], given_page[index:]]) == expected


# --- what is held back ---


@pytest.mark.parametrize(
    "flowing",
    [
        *("text ", "<title>t", "<textarea>t", "<script>var a = 1;", "<style>a{b:c}", "<!-- c", "<!doctype ", "<?php "),
        *(
            "<iframe>",
            "<plaintext>t",
            "<script><!-- <script> t",
            "<noscript>text",
            "<svg><![CDATA[t",
            "<svg><style>a{b:c}",
        ),
        *('<a href="x">', "<noscript><!-- t"),
    ],
)
def test_what_is_no_tag_flows_at_once(flowing: str) -> None:
    """Text, scripts, styles and comments go on as they come."""
    page = PageRewriter(Links(PAGE, "/proxy/"))
    assert page.feed(flowing.encode()) + page.feed(b", more;") == flowing.encode() + b", more;"


@pytest.mark.parametrize(
    "unfinished", ['<a href="/x', "<scr", "<!-", "<", "</", "<a b=c ", "<title></tit", "<style>a{b:c"]
)
def test_what_never_ends_leaves_in_the_end(unfinished: str) -> None:
    """What a page breaks off with is no tag, and leaves as it came."""
    page = PageRewriter(Links(PAGE, "/proxy/"))
    assert page.feed(b"text" + unfinished.encode()) + page.finish() == b"text" + unfinished.encode()


LONG = "y" * MAX_ATTRIBUTE_BYTES
BLANKS = " " * MAX_ATTRIBUTE_BYTES
LONG_TAGS = {
    "an attribute": f'<a href="/{LONG}" src="«§»/x" href=«§»/z><a href="«§»/x">',
    "an attribute that does not matter": f'<a href="«§»/x" title="{LONG}" src="«§»/y" href=«§»/z><a href="«§»/x">',
    "an attribute without quotes": f"<a href=/{LONG}/ src=«§»/x><a href=«§»/x>",
    "a name": f"<{LONG} href=«§»/x><a {LONG}href=/x href=«§»/x>",
    "blanks": f"<a href{BLANKS}=/x src={' ' * 99}«§»/x><a{BLANKS} href=«§»/x>",
    "many attributes": f"<a href=«§»/x {'a ' * MAX_ATTRIBUTE_BYTES} href=«§»/y src=«§»/x>",
    "a meta": f'<meta http-equiv=refresh content="0;url=/x" title="{LONG}"><base title="{LONG}" href="«¶»https://o/">',
    "a script": f'«[script]»<script title="{LONG}" src="«§»/x"><a href=/x></script><a href="«§»/x">',
    "attributes like tags": f'<a <b="x href=/x" title="{LONG}" <b="x href=/x" href=«§»/x>',
    "an end tag": f'</a href="/x" title="{LONG}" src="/x"><a href="«§»/x">',
    "a run": f'<a href="«§»/x"><a href="/{LONG}"><img src="«§»/y" srcset="/{LONG} 1x, /b 2x"><a href="«§»/x">',
    "a long run": f'<a href="«§»/x">{"y" * 900}' * 90 + '<a href="«§»/x">',
    "a style": f'<style title="{LONG}">a{{b:url(«§»/x)}}</style><svg title="{LONG}"><title><a href="«§»/x">',
    "an image in it": f'<img src="data:{LONG}" srcset="«§»/x"><p style="a:url(/{LONG})"><a href="«§»/x">',
}


@pytest.mark.parametrize("marked", LONG_TAGS.values(), ids=LONG_TAGS)
@pytest.mark.parametrize("size", [1 << 20, 5000, 4096, 777])
def test_long_tags(marked: str, size: int) -> None:
    """An attribute of more than 64 KiB stays as it is, whichever way it comes; the others of its tag do not."""
    given_page, expected = read(marked)
    assert fed([given_page[at : at + size] for at in range(0, len(given_page), size)]) == expected


ENDLESS = {
    "an open quote": b'<a href="' + b"/x " * 20,
    "another open quote": b"<a href='" + b'<a href="/x">' * 9,
    "tags within tags": b"<a " * 20,
    "attributes": b"<a " + b"href=/x " * 20,
    "names": b"<a " + b"href" * 20,
    "blanks": b"<a href" + b" \n" * 20,
    "a data address": b"<img src=data:" + b"A" * 40,
    "a policy": b"<meta http-equiv=refresh content=" + b"'0;url=/x'" * 9,
    "slashes": b"<a " + b"/" * 40,
    "equals signs": b"<a " + b"= " * 20,
    "signs": b"<" * 40,
    "end tags": b"</" * 20,
    "a comment": b"<!--" + b"-- - --!" * 5,
    "comments": b"<!--" * 10,
    "declarations": b"<!" * 20,
    "scripts": b"<script>" + b"<!--<script" * 5,
    "ends of scripts": b"<script>" + b"</script" * 5,
    "a title": b"<title>" + b"</titl" * 9,
    "SVG": b"<svg>" * 9,
    "points": b"<svg><desc>" * 4,
    "CDATA": b"<svg><![CDATA[" + b"]] ]" * 9,
    "styles in SVG": b"<svg>" + b"<style>url(" * 5,
    "frames": b"<iframe srcdoc=" * 4,
    "references": b'<a href="' + b"&amp" * 9,
    "candidates": b'<img srcset="' + b",a ( " * 9,
    "lists of candidates": b'<img srcset="' + b"/a.b 1x, " * 9,
    "links": b'<a href="/' + b"x" * 9 + b'">text</a>',
    "links that end oddly": b'<a href="/x">text<p class="a" odd>',
    "links with long texts": b'<a href="/x">' + b"t" * 999,
    "points without scripts": b"<noscript><!--" * 4,
    "dots": b'<a href="' + b"../" * 5 + b'">',
}


@pytest.mark.parametrize("piece", ENDLESS.values(), ids=ENDLESS)
def test_nothing_is_looked_at_again_and_again(piece: bytes) -> None:
    """Four times as much takes about four times as long, however it comes, and hardly anything is held back."""
    seconds: dict[int, float] = {}
    for size in (100_000, 400_000):
        pieces = list(small_pieces((piece * (size // len(piece) + 1))[:size]))
        page = rewriter()
        began = time.process_time()
        held = most = 0
        for small in pieces:
            held += len(small) - len(page.feed(small))
            most = max(most, held)
        page.finish()
        seconds[size] = time.process_time() - began
    assert most <= MAX_ATTRIBUTE_BYTES + 1000
    assert seconds[400_000] < 10 * seconds[100_000] + 0.2


def small_pieces(data: bytes) -> Iterator[bytes]:
    """Pieces of 1 to 60 bytes."""
    at = 0
    while at < len(data):
        size = 1 + at * 7 % 60
        yield data[at : at + size]
        at += size


# --- any page ---

SOUP = st.lists(
    st.sampled_from(
        [
            *(
                "<a",
                "<img",
                "<p",
                "<script",
                "<style",
                "<title",
                "<svg",
                "<math",
                "<base",
                "<meta",
                "<noscript",
                "<desc",
            ),
            *(
                "</a",
                "</script",
                "</style",
                "</title",
                "</svg",
                "</math",
                "</noscript",
                "</desc",
                "<textarea",
                "</textarea",
            ),
            *(
                ">",
                "/>",
                " ",
                "\n",
                "=",
                '"',
                "'",
                "/",
                "<",
                "&",
                ";",
                "<!--",
                "-->",
                "--!>",
                "<![CDATA[",
                "]]>",
                "<!",
                "<?",
            ),
            *(
                "href",
                "src",
                "srcset",
                "style",
                "srcdoc",
                "content",
                "http-equiv=refresh",
                ' href="',
                " src=",
                " style='",
            ),
            *(
                "/x",
                "//o.example/y",
                "https://o.example/z",
                "../../x",
                "#f",
                "url(",
                ")",
                "@import ",
                "a:b",
                "0;url=",
                "\0",
                "é",
            ),
        ]
    ),
    max_size=40,
).map(lambda parts: "".join(parts).encode())


@settings(max_examples=500, deadline=None)
@given(SOUP, st.lists(st.integers(0, 300), max_size=6))
def test_random_cuts_make_no_difference(page: bytes, cuts: list[int]) -> None:
    """Whatever the page and wherever it is cut."""
    places = sorted({0, len(page), *(cut for cut in cuts if cut < len(page))})
    pieces = [page[start:end] for start, end in pairwise(places)]
    assert fed(pieces) == fed([page]) == fed(one_by_one(page))


@settings(max_examples=500, deadline=None)
@given(SOUP.filter(lambda page: b"../" not in page and b"&" not in page and b"srcdoc" not in page))
def test_what_is_inserted_is_all_that_changes(page: bytes) -> None:
    """Where no address must be resolved and no value escaped, the page is what leaves less what was inserted."""
    rewriter = PageRewriter(Links(PAGE, "/proxy/"))
    left = rewriter.feed(page) + rewriter.finish()
    assert inserted_only(left, page)


CANDIDATES = st.lists(
    st.sampled_from(
        ["/a", "/b.png", "//o.example/c", "https://o.example/d", "e.png", " 1x", " 480w", ", ", ", /", ",", " "]
    )
    | st.sampled_from([*" \n\t\f,/.:%()?#\\h0"]),
    max_size=20,
).map("".join)
PIECES = st.lists(
    st.sampled_from(
        [
            *(
                *["<a href=@/x@>"] * 5,
                "<img src=@/x@ srcset=@/y 1x, /z 2x@>",
                "<p class=@c@>",
                "<a",
                "<img",
                ">",
                "</a>",
                "<br />",
            ),
            *(
                " href=@",
                " src=@",
                " srcset=@",
                " alt=@",
                "@",
                "@>",
                "/x",
                " /y",
                ", ",
                "text",
                " / ",
                "=",
                "<title>",
                "odd",
            ),
        ]
    ),
    max_size=30,
).map("".join)


@settings(max_examples=1000, deadline=None)
@given(st.one_of(CANDIDATES.map("<img src=@/x@ srcset=@{}@><a href=@/x@>".format), PIECES))
def test_the_usual_quotes_make_no_difference(page: str) -> None:
    """What is quick to rewrite, between double quotes, reads as it does between others, where each value is parsed."""
    usual, other = (fed([page.replace("@", quote).encode()]) for quote in "\"'")
    assert usual.replace(b'"', b"'") == other


def inserted_only(longer: bytes, shorter: bytes) -> bool:
    """Whether `longer` is `shorter` with a prefix here and there."""
    inserts = re.compile(rb"/proxy/(?:https:(?://site\.example|(?=//))|http:(?=//)|(?=https?://))|[\s\S]")
    return b"".join(part for part in inserts.findall(longer) if len(part) == 1) == shorter


# --- encodings and XML ---


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ('<p>表<a href="«§»/x?表">ソ<a title="表" href=«§»/x?ソ>', "shift_jis"),
        ("<p>功<a href=\"«§»/x?許\"><a title='許' href=«§»/x>", "big5"),
        ('<p>é<a href="«§»/é?é"><a style="a:\'é\';b:url(«§»/x)">', "latin-1"),
    ],
)
def test_other_encodings(text: str, encoding: str) -> None:
    """The bytes of other encodings leave as they came, also those whose second bytes look like signs."""
    given_page, expected = (part.decode().encode(encoding) for part in read(text))
    assert fed([given_page], encoding) == fed(one_by_one(given_page), encoding) == expected


def test_a_reference_to_a_character_that_the_encoding_lacks() -> None:
    """It stays one where its value must be written anew, and is part of the address where that is resolved."""
    page = b'<p style="a:\'&#9731;\';b:url(/x)"><a href="../../&#9731;"><img src="/&#9731;">'
    assert fed([page], "latin-1") == (
        b"<p style=\"a:'&#9731;';b:url(/proxy/https://site.example/x)\">"
        b'<a href="/proxy/https://site.example/%E2%98%83"><img src="/proxy/https://site.example/&#9731;">'
    )


XML = (
    '<?xml version="1.0"?><html><title/><style/><a href="«§»/x"/>«[script]»<script src="«§»/x"/><a href="«§»/x"/>'
    '<style>a{b:url(«§»/x)}<![CDATA[c{d:url(«§»/x)}]]></style><p>url(/x)<![CDATA[<a href="/x">]]></p>'
    '<textarea><a href="«§»/x"/></textarea><script>a &lt; b <![CDATA[ "<a href=\'/x\'>" ]]></script></html>'
)


def test_xml_is_read_by_its_own_rules() -> None:
    """In XHTML and SVG no element holds raw text, any may be empty, and CDATA is found everywhere."""
    given_page, expected = read(XML)
    for pieces in ([given_page], one_by_one(given_page)):
        page = PageRewriter(Links(PAGE, "/proxy/"), script=SCRIPT, xml=True)
        assert b"".join([*map(page.feed, pieces), page.finish()]).decode() == expected.decode()
