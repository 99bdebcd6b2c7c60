"""The demo: a hub, three shops and a fleet of devices on this machine, for real and in a folder
that is gone afterwards.
"""
