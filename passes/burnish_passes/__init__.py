"""The passes that come with Burnish: one file, one pass, in folders by subject."""
