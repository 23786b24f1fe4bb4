"""Expressions, derivations and errors as text. Strings only: colour is the command line's business."""
