"""Who, what was said and promised, what it cost."""
