"""What a page looks like behind the proxy, as a table.

In the table `«new»` is inserted and `«old→new»` replaced; `¶` stands for the prefix, `§` for the prefix and the site's
own address. All that is not marked stays, byte for byte.
"""

from __future__ import annotations

import re

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


def read(marked: str) -> tuple[bytes, bytes]:
    """What comes and what must leave."""
    expected = MARK.sub(r"\2", marked).replace("§", "/proxy/https://site.example").replace("¶", "/proxy/")
    return MARK.sub(lambda mark: mark[1] or "", marked).encode(), expected.encode()
