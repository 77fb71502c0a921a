"""What may be asked of a finished run: how sure it may be, what it looks like, why it answers, where it breaks."""
