//! containerd's leases: what is under one is left alone by the garbage collector although nothing refers to it yet.

use crate::channel::Channel;
use crate::proto::leases::leases_client::LeasesClient;
use crate::proto::leases::{AddResourceRequest, CreateRequest, DeleteRequest, Resource};
use crate::{Error, Result, unless};
use std::collections::HashMap;
use tonic::Code;

/// One lease, by its id.
pub struct Lease<'a> {
    client: LeasesClient<Channel>,
    id: &'a str,
}

impl<'a> Lease<'a> {
    /// A lease that may be there or not.
    pub fn new(channel: &Channel, id: &'a str) -> Self {
        Self { client: LeasesClient::with_origin(channel.clone(), Channel::origin()), id }
    }

    /// Makes it, or takes it up.
    pub async fn begin(&self) -> Result<()> {
        let request = CreateRequest { id: self.id.to_owned(), labels: HashMap::new() };
        let made = self.client.clone().create(request).await;
        unless(Code::AlreadyExists, made).map(drop).map_err(Error::call(format!("lease {}", self.id)))
    }

    /// A blob that is there already is under the lease from before it is looked for: it cannot go in between.
    pub async fn keep(&self, digest: &str) -> Result<()> {
        let request = AddResourceRequest {
            id: self.id.to_owned(),
            resource: Some(Resource { id: digest.to_owned(), r#type: "content".to_owned() }),
        };
        let added = self.client.clone().add_resource(request).await;
        unless(Code::AlreadyExists, added).map(drop).map_err(Error::call(format!("lease {} for {digest}", self.id)))
    }

    /// Ends it; `collect` waits until the garbage collector took what nothing refers to.
    pub async fn end(&self, collect: bool) -> Result<()> {
        let request = DeleteRequest { id: self.id.to_owned(), sync: collect };
        let ended = self.client.clone().delete(request).await;
        unless(Code::NotFound, ended).map(drop).map_err(Error::call(format!("end of lease {}", self.id)))
    }

    /// Has the garbage collector run, by a lease that holds nothing.
    pub async fn collect(&self) -> Result<()> {
        self.begin().await?;
        self.end(true).await
    }
}
