"""Keys, pendant, display, and the question that a press of START answers."""
