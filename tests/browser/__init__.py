"""People in a real browser: Debian's Chromium at a real hub."""
