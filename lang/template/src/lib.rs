//! Pystachio templates: parse, scopes, bind and interpolate.
