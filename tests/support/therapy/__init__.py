"""The reference model of the therapy, and the pump core on an ideal plant."""
