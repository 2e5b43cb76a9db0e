"""What is done to a region before it is pasted: one class a transformation, and their registry."""
