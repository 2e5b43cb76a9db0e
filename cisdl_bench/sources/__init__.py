"""Where pictures and instances come from: COCO's layout, the built-in photographs, downloads."""
