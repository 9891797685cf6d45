"""The backends that come with Burnish: one file or folder each."""
