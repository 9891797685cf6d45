"""Models, records and passes put into words and JSON, for people and programs."""
