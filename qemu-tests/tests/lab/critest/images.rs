//! The images that critest pulls: upstream's names, and busybox with what the specs look for.

use anyhow::Result;
use orlop_machine::lab::{Image, LayerFile, cni};

use crate::segment::Segment;

const PASSWD: &str = "root:x:0:0:root:/:/bin/sh\ndefault-user:x:1000:1000::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n\
                      nobody:x:65534:65534:nobody:/:/bin/sh\n";
const GROUP: &str = "root:x:0:\nwww-data:x:33:\ngroup-defined-in-image:x:50000:default-user\n";
/// A web server that is called as nginx is, with its pid file; on the port of its first argument.
const NGINX: &str = "#!/bin/sh\necho $$ >/var/run/nginx.pid\nhttpd -p $1 -h /www\nwhile :; do sleep 1000; done\n";
const HTTPD: &str = "#!/bin/sh\necho httpd\nexec httpd -f -p 80 -h /www\n";

/// Debian's busybox has none.
const PGREP: &str = "#!/bin/sh\nexec pidof \"$1\"\n";

/// By their user.
const USERS: [(&str, &str); 5] = [
    ("user-uid", "1002"),
    ("user-username", "www-data"),
    ("user-uid-group", "1003:50000"),
    ("user-username-group", "www-data:100"),
    ("predefined-group", "1000"),
];
/// By their content: each of the first ones is an image of its own, the last ones are one image.
const MARKED: [(&str, &str); 9] = [
    ("latest:latest", "latest"),
    ("tag:test", "tag"),
    ("tag:all", "all"),
    ("1:latest", "1"),
    ("2:latest", "2"),
    ("3:latest", "3"),
    ("tags:1", "tags"),
    ("tags:2", "tags"),
    ("tags:3", "tags"),
];

/// Pushes all of them; the image of the pod that runs critest.
pub fn push(segment: &Segment) -> Result<String> {
    let base = base(segment)?;
    let push = |name: &str, image: &Image| segment.registry.push(&segment.lab, name, image);
    push("e2e-test-images/busybox:1.29-2", &base)?;
    push("pause:3.9", &base.with("/mark", 0o644, "pause"))?;
    for (name, port, script) in [
        ("e2e-test-images/nginx:1.14-2", "80", NGINX),
        ("k8s-staging-cri-tools/hostnet-nginx-amd64:latest", "12003", NGINX),
        ("e2e-test-images/httpd:2.4.39-4", "80", HTTPD),
    ] {
        push(name, &served(&base, port, script))?;
    }
    for (name, user) in USERS {
        let image = Image { user: user.into(), ..base.clone() };
        push(&format!("k8s-staging-cri-tools/test-image-{name}:latest"), &image)?;
    }
    for (name, mark) in MARKED {
        push(&format!("k8s-staging-cri-tools/test-image-{name}"), &base.with("/mark", 0o644, mark))?;
    }
    let mut image = base;
    image.files.push(super::files(segment)?);
    Ok(push("critest:1", &image)?.tag)
}

/// busybox with all that it can do, and the users that the specs name.
fn base(segment: &Segment) -> Result<Image> {
    let mut image = cni::busybox(&segment.lab)?;
    image.files.retain(|file| matches!(file, LayerFile::File(path, ..) if path == "/bin/busybox"));
    let applets = segment.lab.busybox(&["--list"])?;
    let applets = applets.lines().filter(|applet| *applet != "busybox");
    image.files.extend(applets.map(|applet| LayerFile::Link(format!("/bin/{applet}"), "busybox".into())));
    image.entrypoint = vec!["/bin/sh".into()];
    let image = image.with("/etc/passwd", 0o644, PASSWD).with("/etc/group", 0o644, GROUP);
    let image = image.with("/bin/pgrep", 0o755, PGREP);
    Ok(image.with("/var/run/.keep", 0o644, "").with("/tmp/.keep", 0o644, ""))
}

fn served(base: &Image, port: &str, script: &str) -> Image {
    let image = base.with("/www/index.html", 0o644, "page\n");
    let entrypoint = ["/bin/nginx", port, "master process"].map(str::to_owned).into();
    Image { entrypoint, ..image.with("/bin/nginx", 0o755, script) }
}
