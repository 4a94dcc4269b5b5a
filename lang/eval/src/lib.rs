//! Evaluates .aurora files: Starlark and templates into the job model.
