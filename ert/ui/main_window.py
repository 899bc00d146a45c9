"""The main window: pages, menus, what is asked before something is lost."""
