"""links.py: what a page links to in this repository is there, its heading too. Not a check of
links to elsewhere. tests/lint/run calls it.
"""
import re

from sources import tracked


def anchors(page):
    """The headings of a page as GitHub names them."""
    names = re.findall(r'^#+ (.*)$', re.sub(r'```.*?```', '', page.read_text('utf-8'), flags=re.S), re.M)
    return {re.sub(r'[^\w\- ]', '', name.lower()).strip().replace(' ', '-') for name in names}


def check():
    broken = []
    for page in tracked('.md'):
        text = re.sub(r'```.*?```', '', page.read_text('utf-8'), flags=re.S)
        for link in re.findall(r'\]\(([^)\s]+)\)', text):
            target, _, anchor = link.partition('#')
            if re.match(r'[a-z]+:', link):
                continue
            file = page.parent / target if target else page
            if not file.exists():
                broken.append('%s: %s is not there' % (page, link))
            elif anchor and file.suffix == '.md' and anchor not in anchors(file):
                broken.append('%s: %s has no heading #%s' % (page, target or page, anchor))
    yield 'every link between the pages leads somewhere', broken
