"""Expression to source code."""
