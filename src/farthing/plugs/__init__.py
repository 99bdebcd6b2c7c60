"""Small parts for software nobody here wrote; each imports only what that software brings."""
