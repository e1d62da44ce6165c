"""What gets the firmware onto boards."""
