//! The time from servers on a segment: by address and by name, wrong ones among them. The clock itself stays as it is: in a
//! user namespace nobody may set it.

mod lab;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Between 1900 and 1970.
const BEFORE_1970: u64 = 2_208_988_800;

/// What a server needs for an answer, in nanoseconds: its two times are not the same.
const NEEDED: u64 = 50_000;

/// A time server whose clock is off by so many seconds.
fn server(address: impl Into<IpAddr>, off: i64) {
    let address: IpAddr = address.into();
    let socket = UdpSocket::bind((address, 123)).expect("port 123");
    std::thread::spawn(move || {
        let mut packet = [0; 48];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            assert_eq!((length, packet[0]), (48, 0x23), "a question of version 4");
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
            let stamp = |time: Duration| {
                let seconds = (time.as_secs() + BEFORE_1970).wrapping_add_signed(off);
                (seconds << 32) | ((u64::from(time.subsec_nanos()) << 32) / 1_000_000_000)
            };
            let mut answer = [0; 48];
            answer[..2].copy_from_slice(&[0x24, 2]);
            answer[24..32].copy_from_slice(&packet[40..]);
            answer[32..40].copy_from_slice(&stamp(now).to_be_bytes());
            answer[40..].copy_from_slice(&stamp(now + Duration::from_nanos(NEEDED)).to_be_bytes());
            socket.send_to(&answer, from).expect("an answer");
        }
    });
}

#[test]
fn a_clock_a_day_off_is_seen_and_one_liar_of_three_is_outvoted() {
    lab::inside("a_clock_a_day_off_is_seen_and_one_liar_of_three_is_outvoted", |lab| {
        lab.card(0, &["192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/24"]);
        server(Ipv4Addr::new(192, 0, 2, 1), 86_400);
        server(Ipv4Addr::new(192, 0, 2, 2), 900_000_000);
        server(Ipv4Addr::new(192, 0, 2, 3), 86_400);
        let _server = lab.dnsmasq(
            0,
            &["--dhcp-range=192.0.2.50,192.0.2.59,2m", "--dhcp-option=option:ntp-server,192.0.2.1,192.0.2.2,192.0.2.3"],
        );
        let mut net = lab.net(&["--card", "cl0"]);
        let line = net.says("it is set");
        assert!(line.contains("off by 86400.") || line.contains("off by 86399.9"), "{line}");
        lab.ready(&mut net);
    });
}

/// What a run that was killed before it had the time has left: the clock goes on from the image's build time. Nobody may
/// set the clock here, so the build is put between the machine's start and now.
#[test]
fn a_clock_that_was_set_to_the_build_is_not_believed_by_the_next_run() {
    lab::inside("a_clock_that_was_set_to_the_build_is_not_believed_by_the_next_run", |lab| {
        const RANGE: &str = "--dhcp-range=192.0.2.50,192.0.2.59,2m";
        lab.card(0, &["192.0.2.1/24"]);
        server(Ipv4Addr::new(192, 0, 2, 1), 0);
        std::fs::create_dir_all(lab.run()).expect("a folder");
        let document = include_str!("../../../config/tests/node_config/least.toml");
        std::fs::write(lab.run().join("config.toml"), document).expect("written");
        let settings = lab.settings(r#""fw_cfg""#);
        let built = SystemTime::now() - Duration::from_millis(orlop_net::sys::now().0 / 2);
        let file = std::fs::File::options().write(true).open(&settings).expect("the settings");
        file.set_modified(built).expect("the time of the build");
        let nobody = lab.dnsmasq(0, &[RANGE]);
        let mut net = lab.net(&["--card", "cl0", "--settings", &settings]);
        net.says("by no time server since; waiting for time servers");
        // There is all but the time, and nobody to ask for it: a clock that was right would be believed now.
        lab.until_here(&format!("cat {}/lease.json || true", lab.run().display()), "192.0.2.5");
        lab.until_there("ip route show default", "default via 192.0.2.1 dev cl0");

        nobody.stop();
        let _server = lab.dnsmasq(0, &[RANGE, "--dhcp-option=option:ntp-server,192.0.2.1"]);
        lab.here("ip link set srv0 down");
        net.says("the carrier is gone");
        // Said after all that it did about the route.
        lab.not_ready(&mut net);
        lab.here("ip link set srv0 up");
        net.says("it is kept");
        lab.ready(&mut net);
        assert!(!net.rest().contains("is believed"), "{}", net.rest());
    });
}

/// There is no way to the name's address of IPv4, which the name server gives first; the one of IPv6 comes later than the
/// answer.
#[test]
fn a_time_server_is_asked_at_the_address_that_there_is_a_way_to() {
    lab::inside("a_time_server_is_asked_at_the_address_that_there_is_a_way_to", |lab| {
        lab.card(0, &["192.0.2.1/24", "2001:db8::1/64"]);
        server(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 0);
        let document = include_str!("../../../config/tests/node_config/least.toml");
        let document = format!("{document}\n[time]\nservers = [\"ntp.lab.example\"]\n");
        std::fs::create_dir_all(lab.run()).expect("a folder");
        std::fs::write(lab.run().join("config.toml"), document).expect("written");
        let settings = lab.settings(r#""fw_cfg""#);
        let _server = lab.dnsmasq(
            0,
            &[
                "--dhcp-range=192.0.2.50,192.0.2.59,2m",
                // No router.
                "--dhcp-option=3",
                "--dhcp-range=2001:db8::,ra-only",
                "--enable-ra",
                "--address=/ntp.lab.example/198.51.100.9",
                "--address=/ntp.lab.example/2001:db8::1",
                "--no-resolv",
            ],
        );
        let mut net = lab.net(&["--card", "cl0", "--settings", &settings]);
        net.says("it is kept");
        lab.ready(&mut net);
    });
}

#[test]
fn a_time_server_is_found_by_its_name() {
    lab::inside("a_time_server_is_found_by_its_name", |lab| {
        lab.card(0, &["192.0.2.1/24"]);
        server(Ipv4Addr::new(192, 0, 2, 1), 0);
        let document = include_str!("../../../config/tests/node_config/least.toml");
        let document = format!("{document}\n[time]\nservers = [\"ntp.lab.example\"]\n");
        std::fs::create_dir_all(lab.run()).expect("a folder");
        std::fs::write(lab.run().join("config.toml"), document).expect("written");
        let settings = lab.settings(r#""fw_cfg""#);
        let mut net = lab.net(&["--card", "cl0", "--settings", &settings]);
        net.says("the carrier is there");
        let _server = lab.dnsmasq(
            0,
            &["--dhcp-range=192.0.2.50,192.0.2.59,2m", "--address=/ntp.lab.example/192.0.2.1", "--no-resolv"],
        );
        net.says("it is kept");
        lab.ready(&mut net);
    });
}
