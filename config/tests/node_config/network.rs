//! Default routes, and addresses and routers that are taken or not.

use super::{LEAST, error_of, error_of_more, least_lines, parse};

#[test]
fn default_routes_are_counted() {
    let interface = |text: &str| format!("[[network.interfaces]]\n{text}\n");
    let fixed = |name: &str, more: &str| {
        interface(&format!("name = \"{name}\"\naddresses = [\"10.0.{}.5/24\"]\n{more}", &name[3..]))
    };
    let none = error_of_more(&fixed("eth0", ""));
    let at = least_lines() + 1;
    let want = format!("node.toml:{at}:1: network.interfaces: no interface has a default route; add `gateway4` or");
    assert!(none.starts_with(&want), "{none}");
    let two = fixed("eth0", "gateway4 = \"10.0.0.1\"") + &fixed("eth1", "gateway4 = \"10.0.1.1\"");
    let error = error_of_more(&two);
    assert_eq!(error.lines().count(), 1, "{error}");
    let at = least_lines() + 8;
    let want = format!("node.toml:{at}:12: network.interfaces[1].gateway4: a second default route for IPv4; keep one");
    assert!(error.starts_with(&want), "{error}");
    let by_route = fixed("eth0", "routes = [{ to = \"0.0.0.0/0\", via = \"10.0.0.1\" }]") + &fixed("eth1", "");
    assert!(parse(&format!("{LEAST}{by_route}")).is_ok());
    let dual = fixed("eth0", "gateway4 = \"10.0.0.1\"") + &interface("name = \"eth1\"\nipv4 = \"off\"");
    assert!(parse(&format!("{LEAST}{dual}")).is_ok(), "one of each family");
}

/// As hosters have it, and failover addresses.
#[test]
fn a_router_that_a_route_has_on_the_link_is_taken() {
    let card = |address: &str, gateway: &str, routes: &str| {
        let key = if gateway.contains(':') { "gateway6" } else { "gateway4" };
        let text = format!("addresses = [\"{address}\"]\n{key} = \"{gateway}\"\nroutes = [{routes}]\n");
        parse(&format!("{LEAST}[[network.interfaces]]\nname = \"eth0\"\n{text}"))
    };
    for (address, gateway, routes) in [
        ("203.0.113.7/32", "172.31.1.1", "{ to = \"172.31.1.1/32\" }"),
        ("203.0.113.7/32", "172.31.1.1", "{ to = \"10.0.0.0/8\", via = \"172.31.1.1\" }, { to = \"172.31.1.1/32\" }"),
        ("203.0.113.7/24", "172.31.0.0", "{ to = \"172.31.0.0/16\" }"),
        ("2001:db8::7/128", "2001:db8:1::1", "{ to = \"2001:db8:1::1/128\" }"),
    ] {
        card(address, gateway, routes).unwrap_or_else(|error| panic!("{error}"));
    }
    for (address, gateway, routes, next) in [
        // The route itself goes by a router.
        (
            "203.0.113.7/24",
            "172.31.1.1",
            "{ to = \"172.31.1.1/32\", via = \"203.0.113.1\" }",
            "name a router in 203.0.",
        ),
        ("203.0.113.7/32", "172.31.1.2", "{ to = \"172.31.1.1/32\" }", "say that it is on this link: `routes = ["),
        ("2001:db8::7/128", "2001:db8:1::2", "{ to = \"172.31.1.1/32\" }", "{ to = \"2001:db8:1::2/128\" }]`"),
    ] {
        let error = card(address, gateway, routes).expect_err(gateway).to_string();
        let says = format!("`{gateway}` is outside of the interface's networks; ");
        assert!(error.contains(&says) && error.contains(next) && error.lines().count() == 1, "{error}");
    }
    let far = format!(
        "{LEAST}[[network.interfaces]]\nname = \"eth0\"\naddresses = [\"203.0.113.7/32\"]\ngateway4 = \"172.31.1.1\"\n\
         [[network.interfaces]]\nname = \"eth1\"\ndefault_route = false\nroutes = [{{ to = \"172.31.1.1/32\" }}]\n"
    );
    assert!(error_of(&far).contains("`172.31.1.1` is outside of"), "another interface's link is another one");
}

#[test]
fn a_server_may_listen_on_this_machine() {
    for local in ["127.0.0.1:6443", "[::1]:6443", "localhost:6443", "169.254.10.1"] {
        let server = LEAST.replace("192.0.2.1:6443", local);
        let more = format!(
            "[proxy]\nhttps = \"http://{local}\"\n[registries.\"*\"]\nmirrors = [{{ url = \"https://{local}\" }}]\n"
        );
        parse(&format!("{server}{more}")).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_search_domain_may_have_capitals() {
    let config = parse(&format!("{LEAST}[network]\nsearch = [\"Lab.EXAMPLE\", \"example\"]\n"));
    assert_eq!(config.unwrap_or_else(|error| panic!("{error}")).network.search, ["Lab.EXAMPLE", "example"]);
}

#[test]
fn addresses_that_only_look_as_if_no_host_had_them_are_taken() {
    for (address, gateway) in [
        ("192.0.2.254/31", "192.0.2.255"),
        ("192.0.2.1/31", "192.0.2.0"),
        ("192.0.2.10/23", "192.0.2.255"),
        ("2001:db8::5/64", "2001:db8::"),
    ] {
        let key = if gateway.contains(':') { "gateway6" } else { "gateway4" };
        let card =
            format!("[[network.interfaces]]\nname = \"eth0\"\naddresses = [\"{address}\"]\n{key} = \"{gateway}\"\n");
        parse(&format!("{LEAST}{card}")).unwrap_or_else(|error| panic!("{error}"));
    }
    let clouds = "[network]\ndns = [\"169.254.169.254\"]\n[time]\nservers = [\"169.254.169.123\"]\n";
    parse(&format!("{LEAST}{clouds}")).unwrap_or_else(|error| panic!("{error}"));
}
