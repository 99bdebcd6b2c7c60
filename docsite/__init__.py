"""The documentation as a site of plain files: `make docs`, then open build/docs/index.html.

It is made of the same Markdown that is read in the repository. Nothing in it is fetched from
elsewhere, every link is relative, and the search needs no server.
"""
