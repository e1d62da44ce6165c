"""What a person types: one module for each group of commands, thin over the rooms that do the work."""
