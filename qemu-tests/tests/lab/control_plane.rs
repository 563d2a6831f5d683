//! The control plane by itself.

use anyhow::Result;

use crate::segment::segment;

#[test]
fn it_is_ready_and_has_what_a_node_joins_by() -> Result<()> {
    let segment = segment()?;
    let kubectl = &segment.kubectl;
    assert_eq!(kubectl.run(&["get", "--raw", "/readyz"])?, "ok");
    let token = segment.plane().token.clone();
    let secret = kubectl.get(&["secret", "--namespace=kube-system", &token.object()])?;
    assert_eq!(secret["type"], "bootstrap.kubernetes.io/token");
    let may = |verb: &str, what: &str| {
        let asked = ["auth", "can-i", verb, what, "--as=system:bootstrap:lab001", "--as-group=system:bootstrappers"];
        // `no` is exit status 1.
        kubectl.run(&asked).is_ok()
    };
    assert!(may("create", "certificatesigningrequests"));
    assert!(!may("list", "nodes"), "a bootstrap token is for joining only");
    Ok(())
}

#[cfg(feature = "slow")]
#[test]
fn the_api_server_goes_and_comes_back_with_what_it_had() -> Result<()> {
    use crate::segment::alone;
    use orlop_machine::within;
    // Tests beside it would miss its API server.
    let segment = alone("control-plane")?;
    let mut plane = segment.plane();
    let objects = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "b"}}"#;
    segment.kubectl.apply(objects)?;
    plane.stop_apiserver();
    assert!(segment.kubectl.run(&["get", "--raw", "/readyz"]).is_err(), "nobody listens there any more");
    plane.start_apiserver(&segment.lab)?;
    assert_eq!(segment.kubectl.get(&["configmap", "kept"])?["data"]["a"], "b");
    segment.kubectl.wait("configmap/kept", "jsonpath={.data.a}=b", within(30))?;
    Ok(())
}
