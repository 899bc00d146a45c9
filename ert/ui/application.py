"""The application: guard, theme, crash handling, the window."""
