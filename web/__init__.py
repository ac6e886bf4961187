"""The web: views that translate between HTTP and the operation. No rule of calling lives here."""
