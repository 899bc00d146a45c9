"""Patients, courses and plans of the site; where work begins."""
