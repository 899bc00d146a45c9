"""Import from DICOM: choose, look, take in all of it or nothing."""
