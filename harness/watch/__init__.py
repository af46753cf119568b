"""Pages on loopback: how far a run is, and a race for people to play.

Owns the way from what happens to a browser: who may come in, what a page is sent, and the two kinds of pages.
Nothing here has a say in a run. What a browser is sent is data, and only the page's own script makes it
visible.
"""
