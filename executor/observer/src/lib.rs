//! Pages and JSON of the tasks, processes and sandboxes on one machine.
