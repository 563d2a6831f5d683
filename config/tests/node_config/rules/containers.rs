//! What runs on the node, and from where it comes: registries, static pods, sysctls.

use super::Row;

/// As those of the node itself.
pub(super) const WRONG: &[Row] = &[
    (
        "registries.\"docker.io\"",
        "registries.\"https://docker.io\"",
        "registries.\"https://docker.io\"",
        "`https://docker.io` is not a registry",
    ),
    ("registries.\"docker.io\"", "registries.\"../x\"", "registries.\"../x\"", "`../x` is not a registry"),
    (
        "registries.\"docker.io\"",
        "registries.mine",
        "registries.mine",
        "`mine` is no image's registry: `mine/app` is `docker.io/mine/app` to everybody; write the host's whole name",
    ),
    (
        "registries.\"docker.io\"",
        "registries.\"index.docker.io\"",
        "registries.\"index.docker.io\"",
        "images of `index.docker.io` are those of `docker.io` to everybody; write `[registries.\"docker.io\"]`",
    ),
    ("\"reader\"", "\"a:b\"", "registries.\"docker.io\".username", "it is not a user name"),
    ("username = \"reader\"", "", "registries.\"docker.io\"", "a user name needs a password"),
    (
        "url = \"http://192.0.2.1:5000\", ",
        "",
        "registries.\"docker.io\".mirrors[1]",
        "missing key `url`; give the mirror's address: `url = ",
    ),
    (
        "insecure = true",
        "insecure = \"true\"",
        "registries.\"docker.io\".mirrors[1].insecure",
        "expected true or false, found a string; write `true` or `false`, without quotes",
    ),
    (
        ", insecure = true",
        "",
        "registries.\"docker.io\".mirrors[1].url",
        "`http://192.0.2.1:5000` is plain HTTP: anybody on the way can read and change",
    ),
    (
        "insecure = true",
        "insecure = true, username = \"a\", password = \"b\"",
        "registries.\"docker.io\".mirrors[1].username",
        "a password would be sent to anybody who asks",
    ),
    (
        "url = \"https://mirror.example.org/hub\"",
        "insecure = true, url = \"https://mirror.example.org/hub\"",
        "registries.\"docker.io\".mirrors[0].insecure",
        "is not plain HTTP, so `insecure` means nothing",
    ),
    (
        "https://mirror.example.org/hub",
        "https://mirror.example.org/%zz",
        "registries.\"docker.io\".mirrors[0].url",
        "`https://mirror.example.org/%zz` is not a mirror's address; write",
    ),
    (
        "https://mirror.example.org/hub",
        "mirror.example.org/hub",
        "registries.\"docker.io\".mirrors[0].url",
        "`mirror.example.org/hub` does not begin with `https://`",
    ),
    (
        "url = \"http://192.0.2.1:5000\", insecure = true",
        "url = \"https://mirror.example.org/hub\"",
        "registries.\"docker.io\".mirrors[1].url",
        "it is there already, as number 1; name it once",
    ),
    (
        "url = \"http://192.0.2.1:5000\", insecure = true",
        "url = \"https://MIRROR.example.org:443/hub/\"",
        "registries.\"docker.io\".mirrors[1].url",
        "it is there already, as number 1; name it once",
    ),
    (
        "registries.\"registry.example.org:5000\"",
        "registries.\"registry.example.org:05000\"",
        "registries.\"registry.example.org:05000\"",
        "`registry.example.org:05000` is not a registry",
    ),
    (
        "[registries.\"*\"]",
        "[registries.\"*\"]\nusername = \"a\"\npassword = \"b\"",
        "registries.\"*\"",
        "certificates and credentials are of one registry",
    ),
    ("agent = \"\"\"", "hello = \"\"\"", "static_pods.hello", "the image has a static pod `hello` of its own"),
    (
        "agent = \"\"\"",
        "agant = \"\"\"",
        "static_pods.agant",
        "line 4 of the manifest: the pod is called `agent`, and its key calls it `agant`",
    ),
    (
        "kind: Pod\nmetadata:",
        "kind: Deployment\nmetadata:",
        "static_pods.agent",
        "line 2 of the manifest: `kind` is `Deployment`, not `Pod`; kubelet runs pods alone by itself",
    ),
    (
        "  name: agent\nspec:",
        "\tname: agent\nspec:",
        "static_pods.agent",
        "line 4 of the manifest: a tab stands in the indentation; YAML indents by spaces alone",
    ),
    (
        "kind: Pod\nmetadata:",
        "kind: Pod\nmeta:",
        "static_pods.agent",
        "line 1 of the manifest: no `metadata.name` was found",
    ),
    (
        "\"net.core.somaxconn\"",
        "\"net.core.somaxcon\"",
        "sysctls.\"net.core.somaxcon\"",
        "is not a sysctl that a node config may set; did you mean `net.core.somaxconn`?",
    ),
    (
        "\"net.core.somaxconn\"",
        "\"kernel.kptr_restrict\"",
        "sysctls.\"kernel.kptr_restrict\"",
        "`kernel.kptr_restrict` is not a sysctl that a node config may set",
    ),
    (
        "\"net.core.somaxconn\" = 8192",
        "net.core.somaxconn = 8192",
        "sysctls.net",
        "expected a string (a name with dots is written in quotes), found a table",
    ),
    (
        "8192",
        "1",
        "sysctls.\"net.core.somaxconn\"",
        "`1` is not a value of `net.core.somaxconn`; it takes 128 to 65535",
    ),
    ("8192", "\"8192; x\"", "sysctls.\"net.core.somaxconn\"", "`8192; x` is not a value of"),
    (
        "\"4096 131072 6291456\"",
        "\"4096 131072\"",
        "sysctls.\"net.ipv4.tcp_rmem\"",
        "it takes 3 numbers, rising, from 4096 to 1073741824",
    ),
    ("\"4096 131072 6291456\"", "\"4096 131072 5000\"", "sysctls.\"net.ipv4.tcp_rmem\"", "it takes 3 numbers, rising"),
    (
        "8192",
        "\"08192\"",
        "sysctls.\"net.core.somaxconn\"",
        "`08192` is not a value of `net.core.somaxconn`; write it without the 0 in front",
    ),
    (
        "\"4096 131072 6291456\"",
        "\"4096 0131072 6291456\"",
        "sysctls.\"net.ipv4.tcp_rmem\"",
        "write it without the 0 in front: the kernel reads it as an octal number",
    ),
    (
        "\"net.core.somaxconn\" = 8192",
        "\"net.core.wmem_max\" = 4607",
        "sysctls.\"net.core.wmem_max\"",
        "`4607` is not a value of `net.core.wmem_max`; it takes 4608 to",
    ),
];
