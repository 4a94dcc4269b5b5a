//! The Aurora gRPC API: protocol files, generated types and their conversion to the job model.
