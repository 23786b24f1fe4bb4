"""Nothing is shared yet; pytest puts this directory on the path, so tests may import the helpers in it."""
