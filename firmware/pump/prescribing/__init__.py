"""What may be given: prescriptions, a second person's override, a clinician's bolus order."""
