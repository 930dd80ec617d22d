from html import escape, unescape


def tag(name, *children, **attributes):
    """Build <name a="b">…</name>; text is escaped: & becomes &amp;, < becomes &lt;."""
    attrs = "".join(f' {key.rstrip("_")}="{escape(str(value))}"' for key, value in attributes.items())
    inner = "".join(children)
    return f"<{name}{attrs}>{inner}</{name}>"


def page(body):
    return "<html><body><pre><code>" + escape(body) + "</code></pre></body></html>"


def text_of(markup):
    return unescape(markup.replace("&nbsp;", " "))
