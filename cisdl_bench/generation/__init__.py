"""Drawing parameters, composing, and running both in parallel so that a run can go on."""
