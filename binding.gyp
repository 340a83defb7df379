# The addon links nothing: libuv and OpenSSL come from the node that loads it. Once loaded it stays (nodelete), for
# OpenSSL keeps functions of it (native/environment.h).
{
  "targets": [
    {
      "target_name": "openvpn_native",
      "sources": [
        "native/addon.cc",
        "native/aead.cc",
        "native/aead_epoch.cc",
        "native/coalesce.cc",
        "native/common.cc",
        "native/environment.cc",
        "native/locals.cc",
        "native/mac.cc",
        "native/netlink.cc",
        "native/poll.cc",
        "native/process.cc",
        "native/provider.cc",
        "native/segment.cc",
        "native/socket.cc",
        "native/split.cc",
        "native/tls.cc",
        "native/tls_key.cc",
        "native/tls_screen.cc",
        "native/tls_session.cc",
        "native/tun.cc",
        "native/udp.cc"
      ],
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE", "OPENSSL_NO_DEPRECATED"],
      "ldflags": ["-Wl,-z,nodelete"],
      "cflags!": ["-O3", "-fno-omit-frame-pointer"],
      "cflags": ["-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-O3"],
      "cflags_cc": ["-std=c++17", "-fno-exceptions", "-fno-rtti"]
    }
  ]
}
