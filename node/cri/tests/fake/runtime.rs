//! CRI.

use super::proto::runtime::runtime_service_server::RuntimeService;
use super::{Fake, lease};
use orlop_cri::proto::runtime::*;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::Stream;
use tonic::{Request, Response, Status};

/// Events as they happen.
pub struct Events(mpsc::UnboundedReceiver<Result<ContainerEventResponse, Status>>);

impl Stream for Events {
    type Item = Result<ContainerEventResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

#[tonic::async_trait]
impl RuntimeService for Fake {
    async fn list_pod_sandbox(
        &self,
        _: Request<ListPodSandboxRequest>,
    ) -> Result<Response<ListPodSandboxResponse>, Status> {
        Ok(Response::new(ListPodSandboxResponse { items: self.world().sandboxes.clone() }))
    }

    async fn list_containers(
        &self,
        _: Request<ListContainersRequest>,
    ) -> Result<Response<ListContainersResponse>, Status> {
        Ok(Response::new(ListContainersResponse { containers: self.world().containers.clone() }))
    }

    async fn container_status(
        &self,
        request: Request<ContainerStatusRequest>,
    ) -> Result<Response<ContainerStatusResponse>, Status> {
        let id = &request.get_ref().container_id;
        let exit_code = *self.world().exit_codes.get(id).ok_or_else(|| Status::not_found(id))?;
        let status = ContainerStatus { state: ContainerState::ContainerExited as i32, exit_code };
        Ok(Response::new(ContainerStatusResponse { status: Some(status) }))
    }

    async fn stop_container(
        &self,
        request: Request<StopContainerRequest>,
    ) -> Result<Response<StopContainerResponse>, Status> {
        lease(&request)?;
        let StopContainerRequest { container_id, timeout } = request.into_inner();
        let is_silent = {
            let mut world = self.world();
            world.log.push(format!("stop {container_id} after {timeout}"));
            if world.stuck.contains(&container_id) {
                return Err(Status::deadline_exceeded("it does not end"));
            }
            world.silent.contains(&container_id)
        };
        if is_silent {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(StopContainerResponse {}))
    }

    async fn stop_pod_sandbox(
        &self,
        request: Request<StopPodSandboxRequest>,
    ) -> Result<Response<StopPodSandboxResponse>, Status> {
        self.world().log.push(format!("stop pod {}", request.get_ref().pod_sandbox_id));
        Ok(Response::new(StopPodSandboxResponse {}))
    }

    type GetContainerEventsStream = Events;

    async fn get_container_events(&self, _: Request<GetEventsRequest>) -> Result<Response<Events>, Status> {
        let mut world = self.world();
        if !world.offers_events {
            return Err(Status::unimplemented("no events"));
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        world.listeners.push(sender);
        Ok(Response::new(Events(receiver)))
    }
}
