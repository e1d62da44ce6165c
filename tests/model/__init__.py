"""The reference model of the therapy and the ideal plant that the pump core is driven against."""
