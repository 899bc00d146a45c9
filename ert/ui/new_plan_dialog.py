"""A new plan: name, target, dose, normalisation, external contour."""
