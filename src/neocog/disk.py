"""Room on a disk: asked for before work that needs it, and named when it has run out."""
