//! What instances run in (`dsl.md` 5.3).

use crate::declare::declare;

declare! {
    /// What the instances of a job run in. Without it they share the file system of the machine.
    #[derive(Eq)]
    pub choice Container as "JobContainer" {
        /// The deprecated wrapper.
        Wrapped(ContainerWrapper),
        /// Docker's containerizer.
        Docker(Docker),
        /// Mesos's containerizer.
        Mesos(Mesos),
    }
}

declare! {
    /// The old way to write a Docker container. Write `Docker(…)` itself.
    #[derive(Eq)]
    pub struct ContainerWrapper as "Container" {
        /// The container. Without it the job is refused.
        pub docker: Option<Docker> [Deprecated("give the job the Docker itself")],
    }
}

declare! {
    /// A container of Docker's engine. The image must contain what the executor needs to run.
    #[derive(Eq)]
    pub struct Docker {
        /// The image, as `docker pull` takes it. With a digest, every instance runs the same one.
        pub image: String,
        /// Parameters of the engine. Clusters take only those that they are set up to allow.
        pub parameters: Vec<Parameter> = Vec::<Parameter>::new(),
    }
}

declare! {
    /// A parameter of Docker's engine, as `docker run --NAME=VALUE` takes it.
    #[derive(Eq)]
    pub struct Parameter {
        /// The name, without dashes.
        pub name: String,
        /// The value.
        pub value: String,
    }
}

declare! {
    /// A container of Mesos itself: no Docker engine is needed on the machine.
    #[derive(Eq)]
    pub struct Mesos: Default {
        /// The image that is the root of the file system. Without it, the machine's own.
        pub image: Option<Image>,
        /// Folders of the machine that appear in the container. Clusters take only those that they
        /// are set up to allow.
        pub volumes: Vec<Volume> = Vec::<Volume>::new(),
    }
}

declare! {
    /// The image of a `Mesos` container.
    #[derive(Eq)]
    pub choice Image {
        /// An App Container image.
        Appc(AppcImage),
        /// A Docker image.
        Docker(DockerImage),
    }
}

declare! {
    /// An App Container image.
    #[derive(Eq)]
    pub struct AppcImage {
        /// The name of the image.
        pub name: String,
        /// The id of the image, as in `sha512-…`.
        pub image_id: String,
    }
}

declare! {
    /// A Docker image, run by Mesos without Docker's engine.
    #[derive(Eq)]
    pub struct DockerImage {
        /// The name of the image, with its registry if it is not the default one.
        pub name: String,
        /// The tag of the image.
        pub tag: String,
    }
}

declare! {
    /// A folder of the machine that appears in a container.
    #[derive(Eq)]
    pub struct Volume {
        /// Where it appears in the container.
        pub container_path: String,
        /// The folder on the machine.
        pub host_path: String,
        /// Whether the container may write to it.
        pub mode: VolumeMode,
    }
}

declare! {
    /// Whether a container may write to a volume.
    pub enum VolumeMode as "Mode" {
        /// It may only read.
        ReadOnly = "RO",
        /// It may read and write.
        ReadWrite = "RW",
    }
}
