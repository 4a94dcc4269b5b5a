//! Images that a job names by their tags, bound to what these stand for now (`client.md` 11.6).

use aurora_client::Connection;
use aurora_client::images::{self, Image};
use aurora_eval::{Binding, EvaluatedJob, ReadyJob, UnboundImage};

use crate::failure::Failure;
use crate::output::note;

/// A job that can be submitted, with its images looked up; and if it has any, what it is evaluated to with them.
pub(crate) async fn ready(
    job: &EvaluatedJob,
    owner: &str,
    connection: &Connection,
) -> Result<(Option<EvaluatedJob>, ReadyJob), Failure> {
    let report = match job.ready(owner) {
        Ok(ready) => return Ok((None, ready)),
        Err(report) => report,
    };
    let images = job.images();
    if images.is_empty() {
        return Err(Failure::report(report));
    }
    let cluster = job.cluster().unwrap_or_default();
    let job = job.bound(&look_up(images, cluster, connection).await?);
    let ready = job.ready(owner).map_err(Failure::report)?;
    Ok((Some(job), ready))
}

/// Looks up images that a job of a cluster names. Gives what binds them.
async fn look_up(
    images: Vec<UnboundImage>,
    cluster: &str,
    connection: &Connection,
) -> Result<Vec<Binding>, Failure> {
    let registry = connection.docker_registry(cluster)?;
    let mut bindings = Vec::new();
    for UnboundImage { address, name, tag } in images {
        let image = Image { name, tag };
        note(&format!("Looking up the image {image}"));
        let value = images::look_up(registry.as_deref(), &image).await?;
        note(&format!("The image {image} is {value}"));
        bindings.push(Binding { address, value });
    }
    Ok(bindings)
}
