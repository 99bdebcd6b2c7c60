"""All that can be changed in books, changed: what the audit must find, and what it cannot."""
