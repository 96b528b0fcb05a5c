"""Links of the pages to files beside docs lead to the repository: the site has only docs."""

import posixpath
import re

REPOSITORY = "https://debugsession.dev/operator/"


def on_page_markdown(markdown, page, **_):
    def outside(link):
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_uri), link[1]))
        return link[0] if path.startswith("docs/") else f"]({REPOSITORY}{path})"

    return re.sub(r"\]\((\.\./[^)\s]+)\)", outside, markdown)
