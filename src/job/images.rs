//! Images that a job names by their tags, bound to what these stand for now (`client.md` 11.6).

use aurora_client::Connection;
use aurora_client::images::{self, Image};
use aurora_eval::{Binding, UnboundImage};

use crate::failure::Failure;
use crate::output::note;

/// Looks up images that a job of a cluster names. Gives what binds them.
pub(super) async fn look_up(
    images: Vec<UnboundImage>,
    cluster: &str,
    connection: &Connection,
) -> Result<Vec<Binding>, Failure> {
    let registry = connection.docker_registry(cluster)?;
    let mut bindings = Vec::new();
    for UnboundImage { address, name, tag } in images {
        let image = Image { name, tag };
        let value = images::look_up(registry.as_deref(), &image).await?;
        note(&format!("The image {image} is {value}"));
        bindings.push(Binding { address, value });
    }
    Ok(bindings)
}
