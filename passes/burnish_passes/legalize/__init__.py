"""What a target has no kernel for, written in operators that it has."""
