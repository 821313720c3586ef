"""The pages: server-rendered HTML for shop owners, members and visitors, on a phone and without JavaScript.

Forms post, the node redirects. A page calls `node/actions` and nothing else; what it shows is chosen in its room
(`storefront`, `ordering`, `desk`, `neighbours`, `accounts`), what it looks like stands in `templates/`.

    site = build_site(node, default_language="en")
    site.add_to(app)
"""
