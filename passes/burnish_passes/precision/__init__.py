"""Numbers with fewer bits that are still floating-point."""
